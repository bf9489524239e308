import { Args, Flags } from "@oclif/core";
import type { ImagePrune } from "../../report/images.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodesFlags, reach } from "../cli/vm-action.ts";

/** A plan that was made before it was fetched has been applied by then. */
const JUST_NOW_SECONDS = 3600;

export default class ImagePruneCommand extends OdoroboCommand {
  static override summary = "remove fetched images that no disk stands on";
  static override description =
    "Disks of VMs that run, that are off, that were deleted and are kept, and files in the disk folders that nobody knows of all count. What was fetched in the last hour stays, unless it is named by its digest. It can be fetched again, so nothing is asked. Exits 0, or 4 when some nodes did not answer.";
  static override args = {
    digest: Args.string({ description: "only this image, by its digest or the beginning of it (default: all)" }),
  };
  static override flags = {
    ...nodesFlags,
    "dry-run": Flags.boolean({ summary: "only say what would be removed" }),
  };
  static override examples = [
    "<%= config.bin %> image prune --dry-run",
    "<%= config.bin %> image prune sha256:0a1b2c3d",
  ];

  override async run(): Promise<ImagePrune> {
    const { args, flags } = await this.parse(ImagePruneCommand);
    using interrupts = listenForInterrupts();
    await using reached = await reach(flags, interrupts.first);
    const { pruneNodeImages } = await import("../../turn/node-images.ts");
    const { renderPruned } = await import("../../report/images.ts");
    const { renderSilent } = await import("../../report/lists.ts");
    const digests = args.digest === undefined ? null : [args.digest];
    const request = { digests, youngerThanSeconds: JUST_NOW_SECONDS, dryRun: flags["dry-run"] ?? false };
    const pruned = await pruneNodeImages(reached, request, interrupts.first);
    this.screen.print(renderPruned(pruned));
    if (pruned.silent.length > 0) this.screen.note(renderSilent(pruned.silent));
    process.exitCode = pruned.silent.length > 0 ? 4 : 0;
    return pruned;
  }
}
