/**
 * A QEMU guest's way to another node. The order is that of QEMU's own documents, and each step of it was seen to be needed:
 *
 *   mirror disks until they are alike → migrate → pre-switchover: the guest stands still → end the mirrors, let go of the disks there → continue
 *   → completed
 *
 * `return-path`: without it a source calls complete what its destination refused. `pause-before-switchover`: a mirror that is ended before the guest
 * stands still leaves disks that differ, and nobody says so.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OdoroboError } from "../../../../model/errors.ts";
import type { LaunchInput, OutgoingGuest, Passage, Sent } from "../../hypervisor.ts";
import { forwardFrom } from "../../join-streams.ts";
import type { QmpClient } from "../qmp/qmp.ts";
import type { MigrationInfo } from "../qmp/qmp-commands.ts";
import { describeMachine } from "./describe-machine.ts";
import { MirroredDisks } from "./mirrored-disks.ts";

/** Events tell of each change; this is for progress, and for what no event tells of. */
const LOOK_MS = 20;
/** QEMU has no word for "as fast as it goes". */
const ALL_BYTES_A_SECOND = 2 ** 40;
const MIB = 1024 * 1024;
const STAY_LOOK_MS = 20;

/** `asItIs`: with what was attached since its boot. */
export function outgoingGuest(asItIs: () => LaunchInput, qmp: QmpClient): OutgoingGuest {
  const vm = asItIs();
  const memorySocket = join(vm.paths.runFolder, "out.sock");
  const mirrors = new MirroredDisks(vm, qmp);
  return {
    describe: (signal) => describeMachine(asItIs(), qmp, signal),
    async send(passage, signal) {
      const failed = new AbortController();
      const own = AbortSignal.any([signal, failed.signal]);
      await using open = new AsyncDisposableStack();
      await prepare(qmp, passage, own);
      const diskBytes = await mirrors.copy(passage, open, (error) => failed.abort(error), own);
      await rm(memorySocket, { force: true });
      open.use(
        await forwardFrom(
          memorySocket,
          () => passage.open("memory"),
          (error) => failed.abort(error),
        ),
      );
      await qmp.call("migrate", { uri: `unix:${memorySocket}` }, { signal: own });
      const { downtime = null, ram } = await untilSent(vm, qmp, passage, mirrors, diskBytes, own);
      return { bytes: diskBytes + (ram?.transferred ?? 0), downtimeMs: downtime } satisfies Sent;
    },
    async stay({ paused }, signal) {
      await callOff(qmp, signal);
      await mirrors.end(signal);
      await rm(memorySocket, { force: true });
      const { status } = await qmp.call("query-status", { signal });
      if (status === "running" || (paused && status === "paused")) return;
      await qmp.call("cont", { signal });
      if (paused) await qmp.call("stop", { signal });
    },
  };
}

async function prepare(qmp: QmpClient, { downtimeMs, bandwidthMiBps }: Passage, signal: AbortSignal): Promise<void> {
  const capabilities = ["events", "return-path", "pause-before-switchover"].map((capability) => ({
    capability,
    state: true,
  }));
  await qmp.call("migrate-set-capabilities", { capabilities }, { signal });
  const bandwidth = bandwidthMiBps === null ? ALL_BYTES_A_SECOND : Math.max(1, Math.round(bandwidthMiBps * MIB));
  const limits = { "max-bandwidth": bandwidth, "downtime-limit": Math.max(1, Math.round(downtimeMs)) };
  await qmp.call("migrate-set-parameters", limits, { signal });
}

/** Resolves with the last figures once QEMU has sent all of it and has heard from the other side that it is there. */
async function untilSent(
  vm: LaunchInput,
  qmp: QmpClient,
  passage: Passage,
  mirrors: MirroredDisks,
  diskBytes: number,
  signal: AbortSignal,
): Promise<MigrationInfo> {
  const begun = performance.now();
  let wake = () => {};
  const forget = qmp.onEvent(({ event }) => {
    if (event === "MIGRATION") wake();
  });
  let isSwitching = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const info = await qmp.call("query-migrate", { signal });
      switch (info.status) {
        case "completed":
          return info;
        case "failed":
        case "cancelled":
          throw new OdoroboError(
            "HYPERVISOR_FAILED",
            `QEMU could not send ${vm.name}: ${info["error-desc"] ?? info.status}`,
            {
              hint: "what the other node's QEMU said is in its log there",
            },
          );
        case "pre-switchover":
          if (!isSwitching) {
            isSwitching = true;
            passage.progress(progressOf(info, diskBytes, "handing-over"));
            if (passage.disks.length > 0) {
              await mirrors.finish(signal);
              await passage.disksDone();
            }
            signal.throwIfAborted();
            await qmp.call("migrate-continue", { state: "pre-switchover" }, { signal });
          }
          break;
        default:
          passage.progress(progressOf(info, diskBytes, isSwitching ? "handing-over" : "memory"));
          if (!isSwitching && performance.now() - begun > passage.timeoutMs) throw tooSlow(vm.name, info, passage);
      }
      await Promise.race([woken, sleep(LOOK_MS, undefined, { signal })]);
    }
  } finally {
    forget();
  }
}

function progressOf({ ram }: MigrationInfo, diskBytes: number, stage: "memory" | "handing-over") {
  return {
    stage,
    sentBytes: diskBytes + (ram?.transferred ?? 0),
    remainingBytes: ram?.remaining ?? null,
    bytesPerSecond: ram === undefined ? null : bytesPerSecond(ram.mbps),
    dirtyBytesPerSecond: ram === undefined ? null : ram["dirty-pages-rate"] * ram["page-size"],
  };
}

const bytesPerSecond = (mbps: number): number => Math.max(0, Math.round((mbps * 1e6) / 8));

/** A guest that writes faster than the link is never done: said with both numbers, and what would help. */
function tooSlow(name: string, { ram }: MigrationInfo, { timeoutMs, downtimeMs }: Passage): OdoroboError {
  const dirty = (ram?.["dirty-pages-rate"] ?? 0) * (ram?.["page-size"] ?? 0);
  const rate = bytesPerSecond(ram?.mbps ?? 0);
  const seconds = Math.round(timeoutMs / 1000);
  const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB/s`;
  return new OdoroboError(
    "HYPERVISOR_FAILED",
    dirty >= rate && dirty > 0
      ? `${name} writes ${mib(dirty)} to its memory and ${mib(rate)} get through: it does not come to an end (${seconds} s)`
      : `${name} was not sent within ${seconds} s (${mib(rate)} get through)`,
    {
      hint: `let it stand still longer than ${downtimeMs} ms (migration.downtime), give it more time (migration.timeout) or a faster link; or move it when it is idle`,
    },
  );
}

/** Ends a migration that is under way, at whatever point it is; afterwards QEMU lets the guest run on itself, or has sent all of it. */
async function callOff(qmp: QmpClient, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { status = "none" } = await qmp.call("query-migrate", { signal });
    if (["none", "completed", "failed", "cancelled"].includes(status)) return;
    if (status !== "cancelling") await qmp.call("migrate_cancel", { signal });
    await sleep(STAY_LOOK_MS, undefined, { signal });
  }
}
