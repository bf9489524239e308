import type { ImageList } from "../../report/images.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodesFlags, reach } from "../cli/vm-action.ts";

export default class ImageListCommand extends OdoroboCommand {
  static override summary = "list the images that nodes have fetched, and how many disks stand on each";
  static override description = "Exits 0, or 4 when some nodes did not answer.";
  static override flags = nodesFlags;
  static override hiddenAliases = ["image:ls"];

  override async run(): Promise<ImageList> {
    const { flags } = await this.parse(ImageListCommand);
    using interrupts = listenForInterrupts();
    await using reached = await reach(flags, interrupts.first);
    const { listNodeImages } = await import("../../turn/node-images.ts");
    const { renderImages } = await import("../../report/images.ts");
    const { renderSilent } = await import("../../report/lists.ts");
    const list = await listNodeImages(reached, interrupts.first);
    this.screen.print(renderImages(list.images, this.screen));
    if (list.silent.length > 0) this.screen.note(renderSilent(list.silent));
    process.exitCode = list.silent.length > 0 ? 4 : 0;
    return list;
  }
}
