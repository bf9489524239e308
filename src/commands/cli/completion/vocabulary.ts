/** What can be typed, as the completion of every shell needs it: from the table of commands, so that it is never behind. */
import type { Command } from "@oclif/core";

export interface CompletionCommand {
  /** `vm detach` */
  readonly words: string;
  readonly summary: string;
  readonly flags: readonly CompletionFlag[];
  /** Its first argument is a VM. */
  readonly takesVm: boolean;
}

export interface CompletionFlag {
  readonly name: string;
  readonly char: string | null;
  readonly summary: string;
  /** Null: it takes none. `words`: one of these. */
  readonly value:
    | { readonly kind: "words"; readonly words: readonly string[] }
    | { readonly kind: "path" | "vm" | "text" }
    | null;
}

/** As `helpValue` calls what is a file or folder of this machine. */
const PATHS: ReadonlySet<string> = new Set(["FILE", "FOLDER", "PATH"]);

/** As it calls what may be the name of a VM. */
const VMS: ReadonlySet<string> = new Set(["VM"]);

/** Sorted by words; hidden commands and flags are left out. */
export function completionCommands(commands: readonly Command.Loadable[]): CompletionCommand[] {
  return commands
    .filter((command) => !command.hidden)
    .map((command) => ({
      words: command.id.replaceAll(":", " "),
      summary: command.summary ?? "",
      flags: Object.values(command.flags)
        .filter((flag) => !flag.hidden)
        .map(toFlag)
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
      takesVm: Object.keys(command.args)[0] === "vm",
    }))
    .sort((a, b) => (a.words < b.words ? -1 : 1));
}

function toFlag(flag: Command.Flag.Cached): CompletionFlag {
  const { name, char = null, summary = "" } = flag;
  if (flag.type === "boolean") return { name, char, summary, value: null };
  if (flag.options !== undefined) return { name, char, summary, value: { kind: "words", words: [...flag.options] } };
  const helpValue = typeof flag.helpValue === "string" ? flag.helpValue : "";
  const kind = PATHS.has(helpValue) ? "path" : VMS.has(helpValue) ? "vm" : "text";
  return { name, char, summary, value: { kind } };
}
