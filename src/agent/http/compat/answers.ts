/** Answers in the shapes of the Rust agent of April 2026, which its clients parse. See docs/compatibility.md. */
import type { OdoroboError } from "../../../model/errors.ts";
import type { Clock } from "../../../platform/clock.ts";
import { errorAnswer, headersFor, json } from "../../../platform/http/answers.ts";
import { ERROR_CODE_HEADER } from "../../../wire/routes.ts";

/** Whose shapes an address is answered in, mistakes included. */
const isCompatPath = (pathname: string): boolean =>
  pathname === "/" || pathname === "/health" || pathname === "/info" || /^\/vms(\/|$)/.test(pathname);

/** What it answers when there is nothing to say. */
export const nothing = (): Response => json(200, null);

export const text = (status: number, words: string): Response =>
  new Response(words, {
    status,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "content-length": String(Buffer.byteLength(words)),
      "cache-control": "no-store",
    },
  });

/** `errors`: what stands behind it, outermost first; the last one may say what to do. */
export function failure(status: number, message: string, errors: readonly string[], clock: Clock): Response {
  return json(status, { code: status, success: false, message, timestamp: clock.now(), errors });
}

/** In the shapes that those who use this address know. */
export const errorAnswerAt = (
  pathname: string,
  error: OdoroboError,
  clock: Clock,
  headers: Readonly<Record<string, string>> = {},
): Response => (isCompatPath(pathname) ? compatErrorAnswer(error, clock, headers) : errorAnswer(error, headers));

function compatErrorAnswer(error: OdoroboError, clock: Clock, headers: Readonly<Record<string, string>>): Response {
  const errors = [...causesOf(error), ...(error.hint === undefined ? [] : [error.hint])];
  const answer = failure(error.status, error.message, errors, clock);
  const all = { ...headersFor(error), ...headers, [ERROR_CODE_HEADER]: error.code };
  for (const [name, value] of Object.entries(all)) answer.headers.set(name, value);
  return answer;
}

/** An answer of Cloud Hypervisor's that is an error, as the Rust agent passed it on: with its list of causes. */
export function hypervisorFailure(status: number, body: Uint8Array, clock: Clock): Response {
  return failure(status, `Cloud Hypervisor API returned status ${status}`, causesIn(body), clock);
}

function causesIn(body: Uint8Array): readonly string[] {
  const words = Buffer.from(body).toString();
  try {
    const value: unknown = JSON.parse(words);
    if (Array.isArray(value)) return value.map(String);
  } catch {
    // told as it is
  }
  return words === "" ? [] : [words];
}

/** Only what odorobo said itself: a foreign error's text may name what is nobody's business. */
function causesOf(error: OdoroboError): readonly string[] {
  const { cause } = error;
  return cause instanceof Error && cause.name === error.name ? [cause.message, ...causesOf(cause as OdoroboError)] : [];
}
