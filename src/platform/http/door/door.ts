/**
 * What is asked of everybody before a route is looked for: not too often from this address, who are you, not too often by you.
 *
 *   server.ts → [door.ts] → gate.ts
 *
 * Who is turned away is logged, but not as often as somebody cares to try.
 */
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import type { Caller } from "./caller.ts";
import type { Gate } from "./gate.ts";
import { addressKey, MAX_COUNTED_KEYS } from "./limits.ts";
import { rarely } from "./rarely.ts";
import { type Rate, TokenBuckets } from "./token-buckets.ts";

export interface Door {
  /** Rejects with UNAUTHORIZED, FORBIDDEN, RATE_LIMITED, or INTERNAL while a file of secrets cannot be trusted. */
  enter(request: IncomingMessage, headers: Headers, isUpgrade: boolean): Promise<Caller>;
  /** For who shows something that is asked for elsewhere. Throws RATE_LIMITED. */
  countAddress(request: IncomingMessage): void;
}

export interface DoorOptions {
  /** `agent`, `gateway`: for messages. */
  readonly who: string;
  readonly transport: "tcp" | "unix";
  readonly gate: Gate;
  readonly rate: Rate;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createDoor({ who, transport, gate, rate, clock, log }: DoorOptions): Door {
  const addresses = new TokenBuckets({ burst: rate.burst * 2, perSecond: rate.perSecond * 2 }, MAX_COUNTED_KEYS);
  const callers = new TokenBuckets(rate, MAX_COUNTED_KEYS);
  const logTurnedAway = rarely(clock);
  const logUntrusted = rarely(clock);
  const now = () => clock.monotonicMs();

  const countAddress = (request: IncomingMessage): string => {
    const address = addressKey(request.socket.remoteAddress);
    if (transport === "tcp" && !addresses.take(address, now())) throw tooMany("your address", who);
    return address;
  };

  const enter: Door["enter"] = async (request, headers, isUpgrade) => {
    let address = "";
    try {
      address = countAddress(request);
      const method = request.method ?? "";
      const caller = await gate({
        method,
        headers,
        transport,
        address,
        certificate: certificateOf(request),
        isUpgrade,
      });
      if (transport === "tcp" && !callers.take(caller.name, now())) throw tooMany(caller.name, who);
      return caller;
    } catch (error) {
      if (!isOdoroboError(error)) throw error;
      if (error.code === "AGENT_INSECURE") {
        logUntrusted((unsaid) => log.error({ err: error, unsaid }, "nobody is let in"));
        // What is wrong with the file is for our owner to know, not for who knocks.
        throw new OdoroboError("INTERNAL", `the ${who} cannot check who you are now`, { hint: "its log says why" });
      }
      logTurnedAway((unsaid) => log.warn({ address, code: error.code, why: error.message, unsaid }, "turned away"));
      throw error;
    }
  };
  return { enter, countAddress };
}

const tooMany = (whose: string, who: string) =>
  new OdoroboError("RATE_LIMITED", `too many requests of ${whose}`, {
    hint:
      who === "agent" ? "wait a second; an agent takes more of them when started with --rate-limit" : "wait a second",
  });

const certificates = new WeakMap<TLSSocket, Buffer>();

/** Null: none, or one that our client CA did not sign. Without such a CA none is asked for. */
function certificateOf({ socket }: IncomingMessage): Buffer | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const known = certificates.get(socket);
  if (known !== undefined) return known;
  const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
  if (fingerprint === undefined) return null;
  const digest = Buffer.from(fingerprint.replaceAll(":", ""), "hex");
  certificates.set(socket, digest);
  return digest;
}
