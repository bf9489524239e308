/** A guest leaves for another host. */
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { ApiClient } from "./client.ts";
import type { EventTail } from "./event-tail.ts";
import { limitsMigrations, sendsInBackground } from "./version.ts";
import { waitUntil } from "./wait.ts";

/** The events say when; this is for the ones that got lost. */
const LOOK_MS = 500;

export interface SendContext {
  readonly client: ApiClient;
  readonly tail: EventTail;
  readonly migration: VmSpec["migration"];
  readonly signal: AbortSignal;
}

/**
 * Resolves when the guest has left. Rejects with HYPERVISOR_FAILED when it runs on here, with HYPERVISOR_UNAVAILABLE when nobody
 * can tell, or with the signal's reason: then the migration goes on, for nothing but the end of the receiving process stops it.
 * The sending one is never ended: its guest would be lost.
 */
export async function sendGuest(
  to: { readonly url: string; readonly local: boolean },
  context: SendContext,
): Promise<void> {
  const { client, migration, signal } = context;
  const body = {
    destination_url: to.url,
    ...(to.local ? { local: true } : {}),
    ...(limitsMigrations(client.version)
      ? { downtime_ms: migration.downtimeMs, timeout_s: migration.timeoutSeconds }
      : {}),
  };
  const outcome = watchOutcome(context);
  try {
    await client.call("vm.send-migration", body, { signal });
  } catch (error) {
    // A process that hands its guest over ends, sometimes before its answer is out: then the events tell.
    if (!isOdoroboError(error, "HYPERVISOR_UNAVAILABLE")) {
      outcome.forget();
      throw error;
    }
    return outcome.done();
  }
  if (sendsInBackground(client.version)) return outcome.done();
  outcome.forget();
}

function watchOutcome({ client, tail, signal }: SendContext) {
  let wake = () => {};
  let sending: "under way" | "finished" | "failed" = "under way";
  const forget = tail.listen({
    onEvent: ({ source, event }) => {
      if (source !== "vm") return;
      if (event === "migration-finished") sending = "finished";
      if (event === "migration-failed") sending = "failed";
      wake();
    },
    onGap: () => wake(),
  });
  const hasLeft = async (): Promise<boolean> => {
    if (sending === "under way") await lookWithoutEvents();
    if (sending === "failed") throw stayed("Cloud Hypervisor says that it failed");
    return sending === "finished";
  };
  /** While it sends, everything that touches the guest is refused; after a failure it is not. */
  const lookWithoutEvents = async (): Promise<void> => {
    try {
      await client.call("vm.counters", { signal });
    } catch (error) {
      signal.throwIfAborted();
      if (isOdoroboError(error, "WRONG_PHASE")) return;
      if (!isOdoroboError(error, "HYPERVISOR_UNAVAILABLE")) throw error;
      await tail.drain();
      if (sending === "under way") throw gone(error);
      return;
    }
    await tail.drain();
    if (sending === "under way") sending = "failed";
  };
  const subscribe = (listener: () => void) => {
    wake = listener;
    return forget;
  };
  return {
    forget,
    async done(): Promise<void> {
      await waitUntil(hasLeft, { signal, deadlineMs: null, lookMs: LOOK_MS, subscribe });
    },
  };
}

/** Whether it had arrived by then nobody here can say. */
const gone = (cause: unknown): OdoroboError =>
  new OdoroboError("HYPERVISOR_UNAVAILABLE", "the process ended in the middle of sending its guest", {
    cause,
    hint: "look whether the guest runs on the receiving side before starting it anywhere",
  });

const stayed = (why: string): OdoroboError =>
  new OdoroboError("HYPERVISOR_FAILED", `the guest did not leave: ${why}`, {
    hint: "why stands in cloud-hypervisor.log of both sides; before trying again, make sure that the receiving process has ended",
  });
