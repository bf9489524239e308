/** What all commands share: how they print, colour, fail and return. A command is: parse, call, return; the views print. */
import { Command, Flags } from "@oclif/core";
import { reportError } from "./report-error.ts";
import { noteLine, printLine, type Screen, wantsColour } from "./terminal.ts";

export abstract class OdoroboCommand extends Command {
  /** `--json` prints exactly what `run` returns. */
  static override enableJsonFlag = true;
  static override baseFlags = {
    "no-color": Flags.boolean({ summary: "no colours, as the variable NO_COLOR", helpGroup: "GLOBAL" }),
  };

  protected get screen(): Screen {
    const json = this.jsonEnabled();
    return {
      json,
      colour: wantsColour(process.stdout, this.argv),
      noteColour: wantsColour(process.stderr, this.argv),
      print: json ? () => {} : printLine,
      note: noteLine,
    };
  }

  protected override logJson(document: unknown): void {
    printLine(JSON.stringify(document, null, 2));
  }

  protected override async catch(error: Error): Promise<void> {
    // Mistyped arguments have been told; oclif would add that they were never parsed.
    this.parsed = true;
    process.exitCode = reportError(error, { json: this.jsonEnabled() });
  }
}
