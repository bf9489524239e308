/** What a failed exchange with an agent means: one OdoroboError for each way it can go wrong, the system's own error as its cause. */
import { OdoroboError } from "../model/errors.ts";

/** Nothing was sent: the agent cannot have begun anything. */
const NEVER_CONNECTED = new Set([
  "ECONNREFUSED",
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "EACCES",
  "UND_ERR_CONNECT_TIMEOUT",
]);

const NO_ANSWER = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);

const CLIENT_CERTIFICATE_WANTED = /CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE/;
const TLS_TROUBLE = /^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY))/;

export type BrokenOff = "AGENT_PROTOCOL" | "AGENT_UNREACHABLE";

/** `brokenOff`: the answer had begun, and what its breaking off is to be called; null: it had not begun. */
export function toAgentError(address: string, error: unknown, brokenOff: BrokenOff | null): OdoroboError {
  if (error instanceof OdoroboError) return error;
  const code = codeOf(error);
  const fail = (
    kind: "AGENT_UNREACHABLE" | "AGENT_TIMEOUT" | "AGENT_PROTOCOL" | "UNAUTHORIZED",
    text: string,
    hint: string,
  ) => new OdoroboError(kind, text, { cause: error, hint });
  if (NO_ANSWER.has(code))
    return fail(
      "AGENT_TIMEOUT",
      `${address} did not answer in time`,
      "is the host overloaded, or the agent stuck? see its log",
    );
  if (CLIENT_CERTIFICATE_WANTED.test(code)) {
    return fail(
      "UNAUTHORIZED",
      `${address} did not accept our certificate`,
      "the agent asks for a client certificate signed by its --tls-client-ca",
    );
  }
  if (TLS_TROUBLE.test(code)) {
    return fail(
      "AGENT_PROTOCOL",
      `no TLS connection to ${address}`,
      "is the certificate for this name, valid today, and signed by the CA that you gave?",
    );
  }
  if (error instanceof Error && error.name === "HTTPParserError")
    return fail(
      "AGENT_PROTOCOL",
      `${address} does not speak HTTP`,
      "is this the agent's port? its own is 8890; does it want https?",
    );
  if (NEVER_CONNECTED.has(code)) {
    return fail(
      "AGENT_UNREACHABLE",
      `cannot reach ${address}`,
      "is the agent running there? systemctl status odorobo-agent, or: odorobo agent",
    );
  }
  if (brokenOff !== null)
    return fail(brokenOff, `the answer of ${address} broke off`, "did the agent end just now? try again");
  return fail(
    "AGENT_UNREACHABLE",
    `${address} closed the connection without an answer`,
    "did the agent end just now? try again",
  );
}

/** The connection was never made, so nothing can have been begun. */
export const wasNeverConnected = (error: OdoroboError): boolean =>
  error.code === "AGENT_UNREACHABLE" && NEVER_CONNECTED.has(codeOf(error.cause));

/** A name with several addresses fails with an AggregateError: each has the code. */
function codeOf(error: unknown): string {
  const { code, errors, cause } = (error ?? {}) as { code?: unknown; errors?: unknown[]; cause?: unknown };
  if (typeof code === "string") return code;
  if (Array.isArray(errors) && errors.length > 0) return codeOf(errors[0]);
  return cause === undefined ? "" : codeOf(cause);
}
