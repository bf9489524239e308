/**
 * A QEMU process that takes a guest in: memory comes to a Unix socket of its own, disks by NBD to another, and its agent says when it may run.
 *
 * Invariant: the process was started with `-S`, and only `take` lets it go on. So a source that is told nothing, or the wrong thing, never runs beside it.
 */

import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError, OdoroboError } from "../../../../model/errors.ts";
import { ownDiskFile } from "../../../launch-command.ts";
import type { Admission, LaunchInput, RunningVm } from "../../hypervisor.ts";
import { forwardTo } from "../../join-streams.ts";
import { incomingSocket, nbdSocket } from "../compile.ts";
import { diskId } from "../device-ids.ts";
import type { QmpClient } from "../qmp/qmp.ts";

/** A guest of 10 MiB is over in less; a question costs a tenth of a millisecond. */
const LOOK_MS = 5;

export interface IncomingParts {
  readonly vm: LaunchInput;
  readonly qmp: QmpClient;
  /** With the connection that was used so far. */
  readonly toGuest: (signal: AbortSignal) => Promise<RunningVm>;
}

export async function admitGuest(parts: IncomingParts, again: boolean, signal: AbortSignal): Promise<Admission> {
  const { vm, qmp } = parts;
  const disks = vm.spec.disks.filter((disk) => ownDiskFile(vm.paths, disk) !== null && !disk.readonly);
  const streams = new Set<Duplex>();
  let isTaken = false;
  if (!again) {
    if (disks.length > 0) {
      await qmp.call("nbd-server-start", { addr: { type: "unix", data: { path: nbdSocket(vm.paths) } } }, { signal });
      for (const { name } of disks) await qmp.call("block-export-add", exportOf(name), { signal });
    }
    await qmp.call("migrate-incoming", { uri: `unix:${incomingSocket(vm.paths)}` }, { signal });
  }

  return {
    connect(channel, stream) {
      const disk = disks.find(({ name }) => channel === `disk.${name}`);
      if (channel !== "memory" && disk === undefined)
        throw new OdoroboError("BAD_REQUEST", `${vm.name} has no ${channel} to take in`);
      streams.add(stream);
      stream.once("close", () => streams.delete(stream));
      forwardTo(disk === undefined ? incomingSocket(vm.paths) : nbdSocket(vm.paths), stream);
    },
    releaseDisks: (own) => releaseDisks(qmp, own),
    async whole(own) {
      for (;;) {
        own.throwIfAborted();
        const { status, "error-desc": why } = await ask(() => qmp.call("query-migrate", { signal: own }), vm.name);
        const run = await ask(() => qmp.call("query-status", { signal: own }), vm.name);
        if (status === "completed" && run.status !== "inmigrate") return;
        if (status === "failed" || status === "cancelled") throw neverComes(vm.name, why ?? status);
        // Whoever was to send the rest died with the agent that it was connected to.
        if (again) throw neverComes(vm.name, "what was to send it is gone");
        await sleep(LOOK_MS, undefined, { signal: own });
      }
    },
    async take({ paused }, own) {
      // Before it was told to go on it cannot have: a process that is gone by then never ran it.
      await ask(() => releaseDisks(qmp, own), vm.name);
      if (!paused) {
        await qmp.call("cont", { signal: own });
        // Switches learn where it is; what QEMU sends by itself it sends when all has come, and it may have waited since.
        await qmp
          .call("announce-self", { initial: 50, max: 550, rounds: 5, step: 100 }, { signal: own })
          .catch(() => {});
      }
      isTaken = true;
      return parts.toGuest(own);
    },
    async [Symbol.asyncDispose]() {
      for (const stream of streams) stream.destroy();
      if (!isTaken) await qmp[Symbol.asyncDispose]();
    },
  };
}

const exportId = (disk: string): string => `move-${diskId(disk)}`;

const exportOf = (name: string) =>
  ({ type: "nbd", id: exportId(name), "node-name": diskId(name), name, writable: true }) as const;

/** Left as it is it would keep the guest's disk without its lock for good. Again is harmless. */
async function releaseDisks(qmp: QmpClient, signal: AbortSignal): Promise<void> {
  const open = await qmp.call("query-block-exports", { signal });
  if (open.length === 0) return;
  for (const { id } of open) await qmp.call("block-export-del", { id, mode: "hard" }, { signal });
  while ((await qmp.call("query-block-exports", { signal })).length > 0) await sleep(LOOK_MS, undefined, { signal });
  await qmp.call("nbd-server-stop", { signal });
}

/** A connection that is gone is a process that is gone: it exits when what comes is not what it was started for. */
async function ask<Answer>(question: () => Promise<Answer>, name: string): Promise<Answer> {
  try {
    return await question();
  } catch (error) {
    if (isOdoroboError(error, "HYPERVISOR_UNAVAILABLE")) throw neverComes(name, "its process ended", error);
    throw error;
  }
}

const neverComes = (name: string, why: string, cause?: unknown): OdoroboError =>
  new OdoroboError("HYPERVISOR_FAILED", `the guest ${name} will not come: ${why}`, { cause });
