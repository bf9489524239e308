/** SIGSTOP was sent: waits until it has come to every thread. */
import { setTimeout as sleep } from "node:timers/promises";
import { OdoroboError } from "../../model/errors.ts";
import { isStopped } from "./spawn/proc.ts";
import type { ProcessHandle } from "./supervisor.ts";

const LOOK_MS = 1;
/** A thread in an uninterruptible wait, for storage mostly, stops when that is over. */
const PATIENCE_MS = 5_000;

/** Resolves also when it is gone. Rejects with HYPERVISOR_FAILED. */
export async function untilFrozen(handle: ProcessHandle, isRunning: (handle: ProcessHandle) => boolean): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (!isStopped(handle.pid)) {
    if (!isRunning(handle)) return;
    if (performance.now() > until)
      throw new OdoroboError("HYPERVISOR_FAILED", `process ${handle.pid} cannot be made to stand still`, {
        hint: "may this agent signal it? If so it hangs in the kernel: look at dmesg on the node",
      });
    await sleep(LOOK_MS);
  }
}
