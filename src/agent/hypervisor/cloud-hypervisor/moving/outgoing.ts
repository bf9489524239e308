/**
 * A guest's way to another agent.
 *
 *   vm.send-migration ─► out.sock ─► relay-out.ts ─► the other agent's door ─► relay-in.ts ─► in.sock ─► vm.receive-migration
 *
 * Cloud Hypervisor lets its guest run on by itself as soon as the connection ends, and gives it away as soon as it is answered. So the process is frozen
 * (SIGSTOP) when all of the guest has been sent: what was written down holds then, whichever agent dies. Thawed it finds the connection gone, and its
 * guest runs on; else it is killed as it stands.
 */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError, OdoroboError } from "../../../../model/errors.ts";
import type { Movable } from "../../../../model/observed-state.ts";
import type { LaunchInput, OutgoingGuest, Passage, Sent } from "../../hypervisor.ts";
import { giveToFolderOwner } from "../../join-streams.ts";
import type { Attached } from "../attached.ts";
import type { ApiClient } from "../client.ts";
import type { EventTail } from "../event-tail.ts";
import { sendGuest } from "../send.ts";
import { sendsPaused } from "../version.ts";
import { Meter } from "./meter.ts";
import { relayOut } from "./relay-out.ts";
import type { TravellingMachine } from "./travelling-machine.ts";

const LOOK_MS = 20;
/** It said that it failed, or ended: then its connection ends, too. */
const CLOSE_MS = 2_000;

export interface OutgoingParts {
  readonly vm: LaunchInput;
  readonly client: ApiClient;
  readonly tail: EventTail;
  readonly attached: () => Attached;
  /** As it is now. */
  readonly movable: (signal: AbortSignal) => Promise<Movable>;
  /** Devices that the guest was asked to let go of and has not. */
  readonly held: (signal: AbortSignal) => Promise<readonly string[]>;
  /** Its process is asked nothing while it is frozen. */
  readonly onFrozen: (isFrozen: boolean) => void;
}

export function outgoingGuest(parts: OutgoingParts): OutgoingGuest {
  const { vm, client } = parts;
  return {
    async describe(signal) {
      const movable = await parts.movable(signal);
      if (!movable.live) throw cannot(vm.name, movable.why, "move it switched off");
      const held = await parts.held(signal);
      if (held.length > 0)
        throw cannot(vm.name, `it has not let go of ${held.join(", ")}`, "wait until it has, or reboot it");
      if (!sendsPaused(client.version) && (await client.call("vm.info", { signal })).state === "Paused")
        throw cannot(
          vm.name,
          `Cloud Hypervisor ${client.version} sends no guest that stands still`,
          "let it run first",
        );
      return { version: client.version, attached: parts.attached() } satisfies TravellingMachine;
    },
    send: (passage, signal) => send(parts, passage, signal),
    async stay({ paused }, signal) {
      parts.onFrozen(false);
      await untilOver(client, signal);
      await rm(outSocket(vm), { force: true });
      const { state } = await client.call("vm.info", { signal });
      if (state === "Paused" && !paused) await client.call("vm.resume", { signal });
      if (state === "Running" && paused) await client.call("vm.pause", { signal });
    },
  };
}

const outSocket = ({ paths }: LaunchInput): string => join(paths.runFolder, "out.sock");

async function send(parts: OutgoingParts, passage: Passage, signal: AbortSignal): Promise<Sent> {
  const { vm, client, tail } = parts;
  const meter = new Meter(passage.bandwidthMiBps, passage.progress);
  const path = outSocket(vm);
  const failed = new AbortController();
  const done = new AbortController();
  const own = AbortSignal.any([signal, failed.signal]);
  let pausedMs: number | null = null;
  await using open = new AsyncDisposableStack();
  open.defer(
    tail.listen({
      onEvent: ({ source, event }) => {
        if (source === "vm" && event === "pausing") pausedMs = performance.now();
      },
    }),
  );
  const timer = setTimeout(() => {
    // Standing still it is nearly through.
    if (pausedMs === null && !meter.isHandingOver) failed.abort(tooSlow(vm.name, meter, passage));
  }, passage.timeoutMs);
  open.defer(() => clearTimeout(timer));
  open.defer(() => done.abort(new Error("all was sent, or nothing will be")));
  const begun = performance.now();
  const connected = await listenOnce(path, open);
  const outcome = sendGuest(
    { url: `unix:${path}`, local: false },
    {
      client,
      tail,
      migration: {
        ...vm.spec.migration,
        downtimeMs: Math.max(1, Math.round(passage.downtimeMs)),
        timeoutSeconds: Math.max(1, Math.ceil(passage.timeoutMs / 1000)),
      },
      signal: AbortSignal.any([own, done.signal]),
    },
  );
  // It tells of a failure by both, and the connection knows more.
  outcome.catch((error: unknown) => setTimeout(() => failed.abort(error), CLOSE_MS).unref());
  const socket = await Promise.race([connected(own), outcome.then(neverConnected)]);
  const stream = await passage.open("memory").catch((error: unknown) => {
    socket.destroy();
    throw error;
  });
  try {
    await relayOut(
      socket,
      stream,
      {
        meter,
        async freeze(calledOff) {
          await passage.freeze(calledOff);
          calledOff.throwIfAborted();
          parts.onFrozen(true);
        },
      },
      own,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (performance.now() - begun >= passage.timeoutMs && !meter.isHandingOver) throw tooSlow(vm.name, meter, passage);
    throw error;
  }
  const stoodSince = pausedMs ?? meter.lastPassMs;
  return { bytes: meter.sentBytes, downtimeMs: stoodSince === null ? null : performance.now() - stoodSince };
}

/** Listens for the one connection of the process here. What is returned resolves with it. */
async function listenOnce(path: string, open: AsyncDisposableStack): Promise<(signal: AbortSignal) => Promise<Socket>> {
  await rm(path, { force: true });
  const server = createServer({ allowHalfOpen: true });
  server.listen(path);
  await once(server, "listening");
  open.defer(() => void server.close());
  await giveToFolderOwner(path);
  return async (signal) => {
    const [socket] = (await once(server, "connection", { signal }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    })) as [Socket];
    server.close();
    return socket;
  };
}

/** Whatever migration was begun, by whomever, has ended: while one goes on everything that touches the guest is refused, or waits. */
async function untilOver(client: ApiClient, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await client.call("vm.counters", { signal });
      return;
    } catch (error) {
      if (!isOdoroboError(error, "WRONG_PHASE")) throw error;
    }
    await sleep(LOOK_MS, undefined, { signal });
  }
}

const neverConnected = (): never => {
  throw new OdoroboError("HYPERVISOR_FAILED", "Cloud Hypervisor says that it sent its guest, and has not");
};

const cannot = (name: string, why: string, hint: string): OdoroboError =>
  new OdoroboError("UNSUPPORTED", `${name} cannot be moved while it runs: ${why}`, { hint });

const MIB = 1024 * 1024;

function tooSlow(name: string, meter: Meter, { timeoutMs, downtimeMs }: Passage): OdoroboError {
  const seconds = Math.round(timeoutMs / 1000);
  const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB/s`;
  const { rate, dirtyRate } = meter;
  return new OdoroboError(
    "HYPERVISOR_FAILED",
    dirtyRate !== null && dirtyRate >= rate && dirtyRate > 0
      ? `${name} writes ${mib(dirtyRate)} to its memory and ${mib(rate)} get through: it does not come to an end (${seconds} s)`
      : `${name} was not sent within ${seconds} s (${mib(rate)} get through)`,
    {
      hint: `let it stand still longer than ${downtimeMs} ms (migration.downtime), give it more time (migration.timeout) or a faster link; or move it when it is idle`,
    },
  );
}
