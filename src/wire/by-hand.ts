/**
 * The part of an agent's API that speaks Cloud Hypervisor's own language: VMs made from a VmConfig, and calls passed on to a
 * guest's hypervisor. These are the routes of the Rust agent, whose errors have a shape of their own.
 */
import { type ErrorCode, isErrorCode, OdoroboError } from "../model/errors.ts";
import type { VmName } from "../model/names.ts";
import { routes } from "./routes.ts";
import type { Question, Transport, WholeAnswer } from "./transport.ts";

export interface HypervisorCall {
  readonly method: Question["method"];
  /** Below the API's root: `vm.info`. */
  readonly path: string;
  /** JSON. */
  readonly body: Uint8Array | null;
}

export interface HypervisorAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** A boot and a snapshot of a large guest take their time, and nothing is heard until they are done. */
const PATIENCE_MS = 600_000;

/** Makes a VM of nobody's fleet. `config` null: it gets its VmConfig later. Rejects with what the agent refused. */
export async function spawnVm(transport: Transport, name: VmName, config: unknown, signal: AbortSignal): Promise<void> {
  const path = `${routes.compatVm(name)}?boot=false`;
  await ask(transport, { method: "PUT", path, ...(config === null ? {} : { body: config }) }, signal);
}

/** Gives its VmConfig to a VM that was made without one. */
export async function giveConfig(
  transport: Transport,
  name: VmName,
  config: unknown,
  signal: AbortSignal,
): Promise<void> {
  await ask(transport, { method: "PUT", path: `${routes.compatVm(name)}/config?boot=false`, body: config }, signal);
}

/** What the hypervisor answered, errors too. Rejects with what the agent refused. */
export async function callHypervisor(
  transport: Transport,
  name: VmName,
  { method, path, body }: HypervisorCall,
  signal: AbortSignal,
): Promise<HypervisorAnswer> {
  const question = { method, path: `${routes.compatVm(name)}/ch/${path}`, ...(body === null ? {} : { body }) };
  const answer = await askAll(transport, question, signal);
  const refusal = refusalIn(answer);
  if (refusal !== null) throw refusal;
  return answer;
}

async function ask(transport: Transport, question: Asked, signal: AbortSignal): Promise<void> {
  const answer = await askAll(transport, question, signal);
  if (answer.status === 200) return;
  throw refusalIn(answer) ?? transport.protocolError(`answered ${answer.status} instead of doing it`);
}

type Asked = Pick<Question, "method" | "path" | "body">;

const askAll = (transport: Transport, question: Asked, signal: AbortSignal): Promise<WholeAnswer> =>
  transport.askAll({ ...question, headersMs: PATIENCE_MS, silenceMs: PATIENCE_MS, signal }, "an answer");

/** The agent's own words in this answer; null: it is the hypervisor's, or no error. */
function refusalIn({ status, contentType, errorCode, body }: WholeAnswer): OdoroboError | null {
  if (status < 400) return null;
  const kind = isErrorCode(errorCode) ? errorCode : codeOf(status);
  const words = Buffer.from(body).toString();
  // What a wrong query or body is answered with.
  if (contentType.startsWith("text/plain")) return new OdoroboError(kind, printable(words));
  try {
    const { success, message, errors, code, hint } = JSON.parse(words) as Record<string, unknown>;
    const isCompat = success === false && typeof message === "string";
    const isOurs = typeof code === "string" && typeof message === "string";
    if (!isCompat && !isOurs) return null;
    const hints =
      isCompat && Array.isArray(errors) ? errors.map(String).join("; ") : typeof hint === "string" ? hint : "";
    return new OdoroboError(kind, printable(message), hints === "" ? {} : { hint: printable(hints) });
  } catch {
    return null;
  }
}

/** Of an answer that does not say its code: the Rust agent's, or plain text. */
function codeOf(status: number): ErrorCode {
  switch (status) {
    case 401:
      return "UNAUTHORIZED";
    case 403:
      return "FORBIDDEN";
    case 404:
      return "NOT_FOUND";
    case 409:
      return "WRONG_PHASE";
    case 413:
      return "PAYLOAD_TOO_LARGE";
    case 422:
      return "UNSUPPORTED";
    case 429:
      return "RATE_LIMITED";
    case 503:
      return "HYPERVISOR_UNAVAILABLE";
    default:
      return status < 500 ? "BAD_REQUEST" : "HYPERVISOR_FAILED";
  }
}

const printable = (text: string): string => text.replace(/\p{C}/gu, " ").slice(0, 2_000);
