/** An error for a person: what and which, what caused it, what to do next. Never a stack trace. */
import { OdoroboError } from "../model/errors.ts";
import { paintWith } from "./words/paint.ts";
import { safeLines } from "./words/safe-text.ts";

export interface ErrorDocument {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string;
    readonly causes: readonly string[];
  };
}

/** A chain longer than this goes in circles or says nothing new. */
const MOST_CAUSES = 8;

export function causesOf(error: Error): string[] {
  const causes: string[] = [];
  let cause = error.cause;
  while (cause !== undefined && cause !== null && causes.length < MOST_CAUSES) {
    const text = describeCause(cause);
    // Wrappers of libraries often repeat the inner text.
    if (text !== causes.at(-1)) causes.push(text);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes;
}

function describeCause(cause: unknown): string {
  if (cause instanceof AggregateError) {
    const texts = new Set(cause.errors.map((each) => describeCause(each)));
    return [cause.message, ...texts].filter((text) => text !== "").join("; ");
  }
  if (!(cause instanceof Error)) return String(cause);
  const code = cause instanceof OdoroboError ? cause.code : (cause as { code?: unknown }).code;
  if (cause.message === "") return typeof code === "string" ? code : cause.name;
  return typeof code === "string" && !cause.message.includes(code) ? `${cause.message} (${code})` : cause.message;
}

export function toErrorDocument(error: OdoroboError): ErrorDocument {
  const { code, message, hint } = error;
  return { error: { code, message, ...(hint === undefined ? {} : { hint }), causes: causesOf(error) } };
}

export function renderError(error: OdoroboError, options: { readonly colour: boolean }): string {
  const paint = paintWith(options.colour);
  const lines = [`${paint("red", "error")}  ${error.code}  ${safeLines(error.message)}`];
  const causes = causesOf(error);
  if (causes.length > 0) lines.push("Caused by:", ...causes.map((cause) => `  ${safeLines(cause)}`));
  if (error.hint !== undefined) lines.push(`${paint("cyan", "hint:")} ${safeLines(error.hint)}`);
  return lines.join("\n");
}
