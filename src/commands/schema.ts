import { Flags } from "@oclif/core";
import { OdoroboCommand } from "./cli/base-command.ts";
import { readEditorSchema } from "./cli/editor-schema.ts";
import { printLine } from "./cli/screen/terminal.ts";

export default class SchemaCommand extends OdoroboCommand {
  static override summary = "print the JSON Schema of manifests, for editors";
  static override description =
    "One file for documents of every kind. init writes it to .odorobo/manifest.schema.json; after an upgrade of odorobo write it again.";
  static override enableJsonFlag = false;
  static override flags = {
    of: Flags.string({
      summary: "of what: manifest, or gateway for the file of odorobo gateway --config",
      options: ["manifest", "gateway"],
      default: "manifest",
    }),
  };
  static override examples = [
    "<%= config.bin %> schema > .odorobo/manifest.schema.json",
    "<%= config.bin %> schema --of gateway > gateway.schema.json",
  ];

  override async run(): Promise<void> {
    const { flags } = await this.parse(SchemaCommand);
    printLine((await readEditorSchema(flags.of)).trimEnd());
  }
}
