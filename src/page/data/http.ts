/** What is asked of the gateway that the page came from, and nobody else. */
import { signal } from "@preact/signals";
import { gatewayNow, hearNow, hearTime } from "./clock.ts";

/** The gateway's own words where it has answered, ours where it has not. */
export class Refused extends Error {
  /** Null: it did not answer. */
  readonly status: number | null;
  readonly code: string | null;
  readonly hint: string | null;

  constructor(message: string, { status = null, code = null, hint = null }: Partial<Omit<Refused, keyof Error>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/** When the gateway answered last, by its clock, and why it has not since; null: it has. */
export const lastAnswers = signal<{ readonly answeredAt: number; readonly unanswered: Refused | null }>({
  answeredAt: gatewayNow(),
  unanswered: null,
});

let whenSignedOut = (): void => {};

/** `told`: the session has ended, or there was none. */
export function onSignedOut(told: () => void): void {
  whenSignedOut = told;
}

/** Longer than any answer takes that is not a stream. */
const PATIENCE_MS = 30_000;

/** Rejects with Refused. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", redirect: "error", ...init });
  } catch (cause) {
    if (init.signal?.aborted && init.signal.reason !== TOO_LONG) throw cause;
    const refused = new Refused("the gateway does not answer", {
      hint: "is it there? odorobo gateway status asks it too",
    });
    lastAnswers.value = { answeredAt: lastAnswers.value.answeredAt, unanswered: refused };
    throw refused;
  }
  hearTime(response.headers.get("date"));
  lastAnswers.value = { answeredAt: gatewayNow(), unanswered: null };
  if (response.ok || response.status === 304) return response;
  if (response.status === 401) whenSignedOut();
  throw await toRefused(response);
}

const TOO_LONG = "too long";

/** Rejects with Refused, also when the answer takes too long. */
export async function get<Document>(path: string): Promise<Document> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(TOO_LONG), PATIENCE_MS);
  try {
    const response = await send(path, { signal: patience.signal });
    // A log is text, and nothing else.
    const isText = response.headers.get("content-type")?.startsWith("text/plain") ?? false;
    const document = (await (isText ? response.text() : response.json())) as Document;
    // Other documents say a time as well, and may have been made for whoever asked before.
    if (path === "/v1/me") hearNow((document as { readonly now?: unknown }).now);
    return document;
  } catch (error) {
    throw error instanceof Refused ? error : new Refused("the gateway's answer did not arrive whole");
  } finally {
    clearTimeout(timer);
  }
}

/** Rejects with Refused. */
export async function post<Document>(path: string, body: object = {}): Promise<Document> {
  const headers = { "content-type": "application/json" };
  const response = await send(path, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  return (text === "" ? null : JSON.parse(text)) as Document;
}

async function toRefused(response: Response): Promise<Refused> {
  const { status } = response;
  try {
    const { code, message, hint } = (await response.json()) as Readonly<Record<string, unknown>>;
    if (typeof message === "string")
      return new Refused(message, {
        status,
        code: typeof code === "string" ? code : null,
        hint: typeof hint === "string" ? hint : null,
      });
  } catch {
    // A proxy's own page.
  }
  return new Refused(`something between here and the gateway answered ${status}`, { status });
}

export const refusedBy = (error: unknown): Refused =>
  error instanceof Refused ? error : new Refused(error instanceof Error ? error.message : String(error));
