/** Any error → one way of saying it, and the exit code. The last stop of every command. */
import { Errors } from "@oclif/core";
import { nearest } from "../../../manifest/text/suggest.ts";
import { isAbort, isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import { renderError, toErrorDocument } from "../../../report/error-text.ts";
import { noteLine, printLine, wantsColour } from "./terminal.ts";

/** Prints it (as JSON on stdout, or for people on stderr) and returns the exit code. */
export function reportError(thrown: unknown, { json }: { readonly json: boolean }): number {
  const error = toOdoroboError(thrown);
  if (error === null) return (thrown as { oclif?: { exit?: number } }).oclif?.exit ?? 0;
  if (json) printLine(JSON.stringify(toErrorDocument(error), null, 2));
  else noteLine(renderError(error, { colour: wantsColour(process.stderr, process.argv) }));
  if (process.env.ODOROBO_DEBUG === "1" && thrown instanceof Error) noteLine(thrown.stack ?? "");
  return error.exitCode;
}

/** Null: not an error, only a way to leave (`--help` inside oclif). */
function toOdoroboError(thrown: unknown): OdoroboError | null {
  if (isOdoroboError(thrown)) return thrown;
  if (thrown instanceof Errors.ExitError) return null;
  if (isAbort(thrown)) return new OdoroboError("INTERRUPTED", "interrupted; nothing is left half done");
  if (isParseError(thrown)) return toUsageError(thrown);
  return new OdoroboError("INTERNAL", thrown instanceof Error ? thrown.message : String(thrown), {
    cause: thrown instanceof Error ? thrown.cause : undefined,
    hint: "this is a mistake in odorobo; ODOROBO_DEBUG=1 shows where",
  });
}

interface ParseError extends Error {
  /** Of flags that do not exist. */
  readonly flags?: readonly string[];
  readonly parse?: { readonly input?: { readonly flags?: Readonly<Record<string, unknown>> } };
}

/** What a person typed wrong: oclif marks its own errors so, and appends a line on help that our hint replaces. */
const isParseError = (thrown: unknown): thrown is ParseError => thrown instanceof Error && "oclif" in thrown;

function toUsageError(error: ParseError): OdoroboError {
  const message = error.message.replace(/\n?See more help with --help$/, "");
  const [unknown] = error.flags ?? [];
  const similar =
    unknown === undefined ? null : nearest(unknown.replace(/^-+/, ""), Object.keys(error.parse?.input?.flags ?? {}));
  const hint =
    similar === null ? "--help shows what there is" : `did you mean --${similar}? --help shows what there is`;
  return new OdoroboError("USAGE", inOurWords(message), { hint });
}

/** oclif's own sentences, over several lines and in words of its own, as one line in ours. */
function inOurWords(message: string): string {
  const missing = /^Missing \d+ required args?:\n([\s\S]+)$/.exec(message)?.[1];
  if (missing !== undefined) {
    // Below the arguments, after an empty line, stands advice about flags that may be repeated.
    const args = (missing.split(/\n\s*\n/)[0] ?? "")
      .split("\n")
      .map((line) =>
        line.trim().replace(/^(\S+)\s+(.*)$/, (_, name: string, what: string) => `${name.toUpperCase()} (${what})`),
      );
    return `missing: ${args.join(", ")}`;
  }
  const together = /^The following errors? occurred:\n([\s\S]+)$/.exec(message)?.[1];
  if (together !== undefined)
    return together
      .split("\n")
      .map((line) =>
        line
          .trim()
          .replace(/^All of the following must be provided when using (--[^:]+): (.+)$/, "$1 needs $2")
          .replace(/^(--[^=]+)=.* cannot also be provided when using (--.+)$/, "$1 and $2 do not go together")
          .replace(/^Missing required flag (\S+)$/, "--$1 is missing"),
      )
      .join("; ");
  return message
    .replace(/^Parsing (--\S+)\s+/, "$1: ")
    .replace(/^Expected (--[^=]+)=(.*) to be one of: /, "$1 $2: must be one of: ")
    .replace(/^Flag (--\S+) expects (a value|one of these values)/, "$1 needs $2")
    .replace(/^Unexpected argument/, "unexpected argument")
    .replace(/^Nonexistent flag/, "unknown flag");
}
