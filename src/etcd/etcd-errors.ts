/** What etcd or the way to it says went wrong, in our words. */
import { OdoroboError } from "../model/errors.ts";

/** Numbers of gRPC. */
const CANCELLED = 1;
const UNKNOWN = 2;
const DEADLINE_EXCEEDED = 4;
const RESOURCE_EXHAUSTED = 8;
const UNAVAILABLE = 14;

interface GrpcError {
  readonly code: number;
  readonly details: string;
}

const isGrpcError = (error: unknown): error is GrpcError & Error =>
  error instanceof Error && "code" in error && typeof error.code === "number" && "details" in error;

/**
 * ETCD_UNREACHABLE: it is not known whether a write was done (a member that could not answer in time may do it yet), and another member
 * may know more. ETCD_REFUSED: etcd has understood, and does not do it.
 */
export function toEtcdError(endpoint: string, error: unknown): OdoroboError {
  if (!isGrpcError(error)) return unreachable(`${endpoint} cannot be asked`, error);
  const { code, details } = error;
  const said = details === "" ? `code ${code}` : details;
  // Without a leader etcd says some of it as "unknown": context deadline exceeded.
  const isAway = [CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, UNAVAILABLE].includes(code);
  if (isAway || (code === RESOURCE_EXHAUSTED && !/space exceeded/.test(details)))
    return unreachable(`${endpoint} did not answer: ${said}`, error);
  return new OdoroboError("ETCD_REFUSED", `etcd at ${endpoint} refuses: ${said}`, { cause: error, hint: hintOf(said) });
}

export const unreachable = (message: string, cause: unknown): OdoroboError =>
  new OdoroboError("ETCD_UNREACHABLE", message, {
    cause,
    hint: "are the members of etcd up, has it a majority, and is the way to it open? odorobo gateway check asks each",
  });

export const isNoRoom = (error: unknown): boolean =>
  error instanceof OdoroboError && error.code === "ETCD_REFUSED" && /space exceeded/.test(error.message);

function hintOf(said: string): string {
  if (/space exceeded/.test(said))
    return "compact and defragment each member, then disarm the alarm: docs/high-availability.md says how";
  if (/permission denied|authentication|user name|auth/i.test(said))
    return "the certificate in cluster.etcd.tls must be of a user whose role may read and write the prefix";
  return "see docs/high-availability.md";
}
