import { Args } from "@oclif/core";
import { OdoroboError } from "../../model/errors.ts";
import type { ImageList } from "../../report/images.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodesFlags, reach } from "../cli/vm-action.ts";

export default class ImageInfo extends OdoroboCommand {
  static override summary = "show where an image came from, what it is, and which disks stand on it";
  static override description = "Of each node that has it. Exits 0, or 4 when some nodes did not answer.";
  static override args = {
    image: Args.string({ description: "name of the Image, or the beginning of its digest", required: true }),
  };
  static override flags = nodesFlags;
  static override examples = ["<%= config.bin %> image info debian-12", "<%= config.bin %> image info sha512:0a1b2c"];

  override async run(): Promise<ImageList> {
    const { args, flags } = await this.parse(ImageInfo);
    using interrupts = listenForInterrupts();
    await using reached = await reach(flags, interrupts.first);
    const { listNodeImages } = await import("../../turn/node-images.ts");
    const { renderImageInfo } = await import("../../report/images.ts");
    const { renderSilent } = await import("../../report/lists.ts");
    const { paintWith } = await import("../../report/words/paint.ts");
    const all = await listNodeImages(reached, interrupts.first);
    const images = all.images.filter(({ name, digest }) => name === args.image || digest.startsWith(args.image));
    if (all.silent.length > 0) this.screen.note(renderSilent(all.silent));
    if (images.length === 0)
      throw new OdoroboError("NOT_FOUND", `no node that answers has fetched an image ${args.image}`, {
        hint: "odorobo image list shows what there is",
      });
    this.screen.print(renderImageInfo(images, paintWith(this.screen.colour)));
    process.exitCode = all.silent.length > 0 ? 4 : 0;
    return { ...all, images };
  }
}
