/** An empty process takes in a guest from another host. */
import { OdoroboError } from "../../../model/errors.ts";
import type { ApiClient } from "./client.ts";
import type { EventTail } from "./event-tail.ts";
import { formatMigrationUrl, isListening, parseMigrationUrl, withFreePort } from "./listening.ts";
import { tellsRefusedArrivals } from "./version.ts";
import { waitUntil } from "./wait.ts";

/** The event comes at once from v52 on; before, the kernel's table of sockets is asked. */
const LOOK_MS = 25;
/** Where nobody said where. */
const EVERY_ADDRESS = "tcp:0.0.0.0:0";

export interface Reception {
  readonly url: string;
  /** Resolves when the guest is here; rejects with HYPERVISOR_FAILED. */
  readonly arrived: Promise<void>;
}

/**
 * Resolves when it listens. The call that receives blocks the whole process until the guest is there, its API and SIGTERM
 * included: it has no deadline, and only SIGKILL calls it off. The signal lets go of it, at any time; `until` of the wait for
 * its listening.
 */
export async function receiveGuest(
  client: ApiClient,
  tail: EventTail,
  options: { readonly url: string; readonly signal: AbortSignal; readonly until?: AbortSignal },
): Promise<Reception> {
  const { signal, until = signal } = options;
  const url = await withFreePort(parseMigrationUrl(options.url || EVERY_ADDRESS));
  const text = formatMigrationUrl(url);
  let isReady = false;
  let failure: unknown = null;
  let wake = () => {};
  const forget = tail.listen({
    onEvent: ({ source, event }) => {
      if (source === "vm" && event === "migration-receive-ready") {
        isReady = true;
        wake();
      }
    },
  });
  const arrived = receiveAll(client, text, signal).catch((error: unknown) => {
    failure = error;
    wake();
    throw new OdoroboError("HYPERVISOR_FAILED", `the guest did not come in on ${text}`, {
      cause: error,
      hint: "why stands in cloud-hypervisor.log of both sides; the sending side still has the guest",
    });
  });
  arrived.catch(() => {});
  const subscribe = (listener: () => void) => {
    wake = listener;
    return forget;
  };
  const listens = async (): Promise<boolean> => {
    if (failure !== null) throw failure;
    return isReady || (await isListening(url));
  };
  await waitUntil(listens, { signal: until, deadlineMs: null, lookMs: LOOK_MS, subscribe });
  return { url: text, arrived };
}

/** Rejects also where the process says that a guest has come, and has none: the other side, or it, had refused it. */
async function receiveAll(client: ApiClient, url: string, signal: AbortSignal): Promise<void> {
  await client.call("vm.receive-migration", { receiver_url: url }, { signal });
  if (!tellsRefusedArrivals(client.version)) await client.call("vm.info", { signal });
}
