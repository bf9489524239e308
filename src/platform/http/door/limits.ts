/** What one client can make a server of ours wait for, hold or do. */
import { isIP } from "node:net";
import type { Rate } from "./token-buckets.ts";

export interface Limits {
  /** For the TLS handshake. */
  readonly handshakeMs: number;
  /** From the connection's first moment until a request's headers are there. */
  readonly headersMs: number;
  /** For the whole request to arrive, body included; says nothing of how long the answer takes. */
  readonly requestMs: number;
  /** How long a client may stop reading an answer. */
  readonly stalledMs: number;
  /** How long open answers may take to end when the server stops. */
  readonly drainMs: number;
  readonly maxConnections: number;
  /** Consoles and event streams included. */
  readonly maxConnectionsPerAddress: number;
  /** Requests of one caller; of one address, whoever asks from there, twice as many. Not counted on a Unix socket. */
  readonly requests: Rate;
}

/** Of one caller, after the first few thousand. */
export const DEFAULT_REQUESTS_PER_SECOND = 200;

/** Twenty seconds' worth at once. `perSecond` 0: as many as come. */
export const requestRate = (perSecond: number): Rate =>
  perSecond === 0 ? UNLIMITED : { burst: perSecond * 20, perSecond };

/** Requests that come in at any rate: for benches and tests of something else. */
export const UNLIMITED: Rate = { burst: 1e9, perSecond: 1e9 };

/**
 * An apply of 500 VMs to one node sends some 1,500 requests, 64 of them at a time; a gateway asks for a report every few
 * seconds; both together stay within the burst. 200 a second is what a script in a loop gets from then on, and a tenth of what an agent can do.
 */
export const DEFAULT_LIMITS: Limits = {
  handshakeMs: 10_000,
  headersMs: 10_000,
  requestMs: 30_000,
  stalledMs: 60_000,
  drainMs: 3_000,
  maxConnections: 2_048,
  maxConnectionsPerAddress: 512,
  requests: requestRate(DEFAULT_REQUESTS_PER_SECOND),
};

/** Strangers' addresses and callers' names that are remembered; the ones that came last. */
export const MAX_COUNTED_KEYS = 10_000;

/** What counts as one address: in IPv6 whoever has one has its whole /64, so that is what is counted. */
export function addressKey(address: string | undefined): string {
  if (address === undefined) return "unknown";
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (v4 !== undefined) return v4;
  if (isIP(address) !== 6) return address;
  return `${firstGroups(address.replace(/%.*$/, ""), 4).join(":")}::/64`;
}

function firstGroups(address: string, count: number): string[] {
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - groups.length - after.length;
  const all = [...groups, ...Array.from({ length: Math.max(0, zeros) }, () => "0"), ...after];
  return all.slice(0, count).map((group) => Number.parseInt(group, 16).toString(16));
}
