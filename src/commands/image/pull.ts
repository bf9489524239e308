import { Args } from "@oclif/core";
import type { ImagePull } from "../../report/images.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodesFlags, reach } from "../cli/vm-action.ts";

export default class ImagePullCommand extends OdoroboCommand {
  static override summary = "have nodes fetch an image before anything needs it";
  static override description =
    "An Image of the manifests that VMs use. Every node that answers fetches what its source says now; with --node, that one. Exits 0, 1 when one could not, or 4 when some nodes did not answer.";
  static override args = { image: Args.string({ description: "name of the Image", required: true }) };
  static override flags = nodesFlags;
  static override examples = [
    "<%= config.bin %> image pull debian-12",
    "<%= config.bin %> image pull debian-12 --node n1",
  ];

  override async run(): Promise<ImagePull> {
    const { args, flags } = await this.parse(ImagePullCommand);
    using interrupts = listenForInterrupts();
    await using reached = await reach(flags, interrupts.first);
    const { pullToNodes } = await import("../../turn/node-images.ts");
    const { renderPull } = await import("../../report/images.ts");
    const { paintWith } = await import("../../report/words/paint.ts");
    const { showWaiting } = await import("../cli/screen/show-waiting.ts");
    using _waiting = showWaiting(`fetching ${args.image}`, process.stderr);
    const pulled = await pullToNodes(reached, args.image, () => {}, interrupts.first);
    this.screen.print(renderPull(pulled, paintWith(this.screen.colour)));
    const isSilent = reached.observed.nodes.some((node) => node.reach === "silent");
    process.exitCode = pulled.nodes.some(({ error }) => error !== null) ? 1 : isSilent ? 4 : 0;
    return pulled;
  }
}
