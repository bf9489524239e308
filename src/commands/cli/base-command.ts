/** What all commands share: how they print, colour, fail and return. A command is: parse, call, return; the views print. */
import { Command, Flags } from "@oclif/core";
import { reportError } from "./screen/report-error.ts";
import { columnsOf, noteLine, printLine, type Screen, wantsColour } from "./screen/terminal.ts";

/** A variable says where to look when no flag does: each, and the flags that say something else. */
const OVERRULED: readonly (readonly [variable: string, by: readonly string[]])[] = [
  ["ODOROBO_FLEET", ["--agent", "--repo", "--from"]],
  ["ODOROBO_AGENT", ["--fleet", "--repo", "--node"]],
];

function yieldToFlags(argv: readonly string[]): void {
  const isGiven = (flag: string) => argv.some((word) => word === flag || word.startsWith(`${flag}=`));
  for (const [variable, flags] of OVERRULED) if (flags.some(isGiven)) delete process.env[variable];
}

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
      width: process.stdout.isTTY === true ? columnsOf(process.stdout) : null,
      noteColour: wantsColour(process.stderr, this.argv),
      print: json ? () => {} : printLine,
      note: noteLine,
    };
  }

  public override async init(): Promise<void> {
    await super.init();
    yieldToFlags(this.argv);
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
