/** Questions before something is done. Never asked where nobody can answer: there `--yes` must have been given. */
import { createInterface } from "node:readline/promises";
import { isAbort, OdoroboError } from "../../../model/errors.ts";
import { isInteractive } from "./terminal.ts";

export interface Question {
  readonly text: string;
  /** The one answer that counts. */
  readonly answer: string;
  /** What was asked for, in the error: `apply 4 steps`. */
  readonly what: string;
  /** What to do where nobody can be asked. */
  readonly hint?: string;
}

export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  /** Somebody is there who can answer. */
  readonly isInteractive: boolean;
}

/** On stderr, so that questions are not mixed into what another program reads. */
const ourTerminal = (): Terminal => ({ input: process.stdin, output: process.stderr, isInteractive: isInteractive() });

/** Resolves when it was confirmed; rejects with NOT_CONFIRMED, or INTERRUPTED. */
export async function confirm(
  question: Question,
  options: { readonly yes: boolean; readonly signal: AbortSignal },
  terminal: Terminal = ourTerminal(),
): Promise<void> {
  if (options.yes) return;
  if (!terminal.isInteractive) {
    throw new OdoroboError("NOT_CONFIRMED", `nobody is here to confirm: ${question.what}`, {
      hint: question.hint ?? "look at the plan and give --yes, or plan --out plan.json and apply that file with --yes",
    });
  }
  const answer = await ask(terminal, `${question.text} `, options.signal);
  if (answer !== question.answer)
    throw new OdoroboError("NOT_CONFIRMED", `not confirmed: ${question.what}. Nothing was changed`);
}

/** Null when the input ended without an answer. */
async function ask({ input, output }: Terminal, text: string, signal: AbortSignal): Promise<string | null> {
  const lines = createInterface({ input, output });
  const closed = new AbortController();
  lines.once("close", () => closed.abort());
  // In raw mode a terminal sends no signal for Ctrl-C.
  lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    return (await lines.question(text, { signal: AbortSignal.any([signal, closed.signal]) })).trim();
  } catch (error) {
    if (!isAbort(error)) throw error;
    output.write("\n");
    if (signal.aborted) throw new OdoroboError("INTERRUPTED", "interrupted before anything was done");
    return null;
  } finally {
    lines.close();
  }
}
