import { describeValidation, type Validation } from "../report/validation.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { fleetFlags, folderArg, toLocation } from "./cli/flags.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";

export default class Validate extends OdoroboCommand {
  static override summary = "check the manifests, without asking any agent";
  static override description =
    "Shows every mistake with its line, all at once. Exits 1 when there is an error; warnings are no errors.";
  static override args = folderArg;
  static override flags = fleetFlags;
  static override examples = ["<%= config.bin %> validate ./fleet", "<%= config.bin %> validate --repo . --ref HEAD"];

  override async run(): Promise<Validation> {
    const { args, flags } = await this.parse(Validate);
    using interrupts = listenForInterrupts();
    const { readFleet } = await import("../turn/read-fleet.ts");
    const { isManifestPath } = await import("../manifest/read-manifests.ts");
    const { renderDiagnostics } = await import("../manifest/text/render-diagnostics.ts");
    const reading = await readFleet(toLocation(flags, args.folder), interrupts.first);
    const validation: Validation = {
      kind: "Validation",
      version: 1,
      source: reading.source,
      commit: reading.commit,
      valid: reading.desired !== null,
      manifests: reading.texts.filter((text) => isManifestPath(text.path)).length,
      vms: reading.desired?.vms.length ?? null,
      diagnostics: reading.diagnostics,
    };
    if (reading.diagnostics.length > 0) this.screen.print(renderDiagnostics(reading.diagnostics, reading.texts));
    this.screen.print(describeValidation(validation));
    process.exitCode = validation.valid ? 0 : 1;
    return validation;
  }
}
