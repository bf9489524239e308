/** Makes live changes true over the API. Each can be begun again after an agent died in the middle of it. */
import type { LiveCall } from "../../../model/cloud-hypervisor/live-changes.ts";
import type { DiskConfig } from "../../../model/cloud-hypervisor/vm-config.ts";
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { ApiClient } from "./client.ts";
import type { EventTail } from "./event-tail.ts";
import { asksAgain } from "./version.ts";
import { waitUntil } from "./wait.ts";

/** The event says when; this is for the one that got lost. */
const LOOK_MS = 500;

/** How often a guest that does not answer is asked again: a request that comes in the time of its firmware is lost. */
const ASK_AGAIN_MS = 2000;

/** Nothing tells when a CPU is gone. */
const RETRY_MS = 100;

export interface ChangeContext {
  readonly client: ApiClient;
  readonly tail: EventTail;
  /** How long a guest may take to let go of a device or a CPU. */
  readonly removalMs: number;
  /** Bytes by device id, of disks whose files could be looked at. */
  readonly diskBytes: Readonly<Record<string, number>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Tries every change, then says which failed: one disk in use must not keep a CPU away. What the guest does not let go of is no
 * failure: it is held.
 */
export async function performChanges(calls: readonly LiveCall[], context: ChangeContext): Promise<void> {
  const failures: unknown[] = [];
  /** A device that stays keeps its id: adding its successor would wait as long again, for the same guest. */
  const stuck = new Map<string, unknown>();
  for (const call of calls) {
    const id = deviceOf(call);
    if (id !== null && stuck.has(id)) continue;
    try {
      await performChange(call, context);
    } catch (error) {
      context.signal.throwIfAborted();
      failures.push(error);
      if (id !== null) stuck.set(id, error);
    }
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) {
    const messages = failures.map((error) => (error instanceof Error ? error.message : String(error)));
    const busy = failures.every((error) => isOdoroboError(error, "HYPERVISOR_BUSY"));
    throw new OdoroboError(
      busy ? "HYPERVISOR_BUSY" : "HYPERVISOR_FAILED",
      `${failures.length} changes failed: ${messages.join("; ")}`,
      { hint: failures.find((error) => isOdoroboError(error))?.hint },
    );
  }
}

function deviceOf({ endpoint, body }: LiveCall): string | null {
  if (endpoint !== "vm.remove-device" && !endpoint.startsWith("vm.add-")) return null;
  return "id" in body && typeof body.id === "string" ? body.id : null;
}

async function performChange(call: LiveCall, context: ChangeContext): Promise<void> {
  const { client, signal } = context;
  switch (call.endpoint) {
    case "vm.remove-device":
      return removeDevice(call.body.id, context);
    case "vm.resize":
      return resize(call.body, context);
    case "vm.resize-disk":
      refuseToShrink(call.body, context);
      await client.call("vm.resize-disk", call.body, { signal });
      return;
    case "vm.resize-zone":
      await unlessThereAlready(client.call("vm.resize-zone", call.body, { signal }));
      return;
    default: {
      const id = deviceOf(call);
      if (id !== null) await untilReleased(id, context);
      await add(call, context);
    }
  }
}

type AddCall = Exclude<
  LiveCall,
  { readonly endpoint: "vm.remove-device" | "vm.resize" | "vm.resize-disk" | "vm.resize-zone" }
>;

/** That endpoint and body belong together the type of a call says; through a union the compiler cannot follow it. */
async function add({ endpoint, body }: AddCall, { client, signal }: ChangeContext): Promise<void> {
  await client.call(endpoint as "vm.add-disk", body as DiskConfig, { signal });
}

/** Busy: the guest has not given back CPUs that were taken away before. It does within a moment, or never. */
async function resize(
  body: Extract<LiveCall, { endpoint: "vm.resize" }>["body"],
  { client, signal, removalMs }: ChangeContext,
): Promise<void> {
  let busy: unknown;
  const isDone = async (): Promise<boolean> => {
    try {
      await unlessThereAlready(client.call("vm.resize", body, { signal }));
      return true;
    } catch (error) {
      if (!isOdoroboError(error, "HYPERVISOR_BUSY")) throw error;
      busy = error;
      return false;
    }
  };
  const waiting = { signal, deadlineMs: removalMs, lookMs: RETRY_MS, subscribe: () => () => {} };
  if (!(await waitUntil(isDone, waiting))) throw busy;
}

/** virtio-mem refuses the size that it has already. */
async function unlessThereAlready(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    const isThere = isOdoroboError(error, "HYPERVISOR_FAILED") && /identical/.test(error.message);
    if (!isThere) throw error;
  }
}

/** Cloud Hypervisor cuts a raw file without asking. */
export function refuseToShrink(
  { id, desired_size: wanted }: { readonly id: string; readonly desired_size: number },
  { diskBytes }: Pick<ChangeContext, "diskBytes">,
): void {
  const now = diskBytes[id];
  if (now !== undefined && wanted >= now) return;
  throw new OdoroboError(
    "UNSUPPORTED",
    now === undefined
      ? `how large disk ${id} is cannot be seen, so it is left as it is`
      : `disk ${id} has ${now} bytes; cutting it to ${wanted} would lose data`,
    { hint: "disks only grow" },
  );
}

/**
 * Asks the guest to let go and waits until it did: its configuration forgets the device at once, but its files stay open and
 * its id taken until the event. A guest without PCI hot-plug never answers; its next reboot completes the removal.
 */
async function removeDevice(id: string, context: ChangeContext): Promise<void> {
  const removal = watchRemoval(id, context);
  try {
    await askToRelease(id, context);
  } catch (error) {
    removal.forget();
    throw error;
  }
  await removal.done();
}

/** Asked before (up to v53 a second time is an error), or gone already: whoever waits sees which. */
export async function askToRelease(
  id: string,
  { client, signal }: Pick<ChangeContext, "client" | "signal">,
): Promise<void> {
  await client.call("vm.remove-device", { id }, { signal }).catch((error: unknown) => {
    if (!isOdoroboError(error, "NOT_FOUND")) throw error;
  });
}

/** An earlier removal of the same id may not have come to its end: until then nothing can have its id. */
async function untilReleased(id: string, context: ChangeContext): Promise<void> {
  if (await watchRemoval(id, context).done()) return;
  throw new OdoroboError("HYPERVISOR_FAILED", `the guest did not release ${id} within ${context.removalMs / 1000} s`, {
    hint: "does its system support PCI hot-plug, and is the device in use? A reboot of the VM completes the removal",
  });
}

/** From now on: an event may come before the answer to the call that causes it. */
function watchRemoval(id: string, { client, tail, removalMs, clock, signal }: ChangeContext) {
  let isGone = false;
  let wake = () => {};
  const forget = tail.listen({
    onEvent: ({ source, event, properties }) => {
      if (source !== "vm" || event !== "device-removed" || properties.id !== id) return;
      isGone = true;
      wake();
    },
  });
  let askedAtMs = clock.monotonicMs();
  const isReleased = async (): Promise<boolean> => {
    if (isGone) return true;
    const { device_tree: tree } = await client.call("vm.info", { signal });
    if (tree === undefined || !Object.hasOwn(tree, id)) return true;
    if (asksAgain(client.version) && clock.monotonicMs() - askedAtMs >= ASK_AGAIN_MS) {
      await askToRelease(id, { client, signal });
      askedAtMs = clock.monotonicMs();
    }
    return false;
  };
  const subscribe = (listener: () => void) => {
    wake = listener;
    return forget;
  };
  return {
    forget,
    /** False: not within its time. */
    done: (): Promise<boolean> => waitUntil(isReleased, { signal, deadlineMs: removalMs, lookMs: LOOK_MS, subscribe }),
  };
}
