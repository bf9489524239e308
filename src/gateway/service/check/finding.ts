/** One thing that was looked at. */
import type { Finding } from "../../../model/doctor-report.ts";
import { isOdoroboError } from "../../../model/errors.ts";

export const ok = (check: string, message: string): Finding => ({ check, level: "ok", message, hint: null });

export const finding = (
  level: "warn" | "fail" | "unknown",
  check: string,
  message: string,
  hint: string | null,
): Finding => ({ check, level, message, hint });

/** What was thrown, as what is wrong. */
export function failure(check: string, error: unknown, hint: string | null = null): Finding {
  if (!isOdoroboError(error))
    return finding("fail", check, error instanceof Error ? error.message : String(error), hint);
  const causes = causesOf(error.cause);
  const message = [error.message.split("\n")[0], ...causes].join(": ");
  return finding("fail", check, message, error.hint ?? hint);
}

const causesOf = (cause: unknown): string[] =>
  cause instanceof Error ? [cause.message.split("\n")[0] ?? "", ...causesOf(cause.cause)].slice(0, 2) : [];
