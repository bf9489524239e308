/** Cloud Hypervisor as a Hypervisor: probe, compile purely, connect over its API socket. */
import { knows, OLDEST_MAJOR } from "../../../model/cloud-hypervisor/version.ts";
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { Admission, ConnectOptions, Hypervisor, IncomingGuest, LaunchInput, RunningVm } from "../hypervisor.ts";
import { type Attached, NOTHING_ATTACHED, readAttached } from "./attached.ts";
import { bootVm, makeConfinedFolders, restoreVm } from "./boot.ts";
import { ApiClient } from "./client.ts";
import { toCheckedConfig, toLaunchCommand } from "./compile.ts";
import { EventTail } from "./event-tail.ts";
import { apiSocket, attachedFile, eventsFile, eventsSeenFile } from "./files.ts";
import { CloudHypervisorGuest } from "./guest.ts";
import { lastWord } from "./history.ts";
import type { CloudHypervisorHost } from "./host.ts";
import { admitAgain, admitGuest } from "./moving/incoming.ts";
import { type CloudHypervisorSettings, describeHost, probeCloudHypervisor, toReport } from "./probe.ts";
import { receiveGuest } from "./receive.ts";
import { snapshotPaths } from "./snapshot.ts";

/** A Linux guest lets go of a device within 0.1 s; one that is busy with it, when it is done. */
const REMOVAL_MS = 20_000;
/**
 * A process that takes in a guest answers nobody. Its events say when the guest is there, but not when it failed to come: so it is
 * asked, ever more seldom, because who asks in vain leaves a connection behind, and the process keeps a hundred of them.
 */
const RECEIVING_PATIENCE_MS = 2000;
const ASK_AGAIN_MS = 2000;
const MOST_SELDOM_MS = 30_000;

/** `probe` comes first: what the host has decides what `compile` writes. */
export function createCloudHypervisor(settings: CloudHypervisorSettings): Hypervisor {
  let known: CloudHypervisorHost | null = null;
  const host = (): CloudHypervisorHost => {
    if (known) return known;
    throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `there is no usable ${settings.executable} on this node`, {
      hint: `install Cloud Hypervisor ${OLDEST_MAJOR} or later, then restart the agent`,
    });
  };

  /** Processes that take in a guest, and when the next question to them may have an answer; by API socket. */
  const askedInVain = new Map<string, { readonly againAt: number; readonly pauseMs: number }>();

  async function connectFresh(vm: LaunchInput, { fromSnapshot, signal }: ConnectOptions): Promise<RunningVm> {
    await using opened = new AsyncDisposableStack();
    const client = opened.use(await ApiClient.connect(apiSocket(vm.paths), { signal, patient: true }));
    const tail = opened.use(await openTail(vm));
    if (fromSnapshot !== undefined) await restoreVm(client, fromSnapshot, signal);
    else {
      const config = toCheckedConfig(vm, host(), client.version);
      await makeConfinedFolders(config, vm.paths.diskFolder);
      await bootVm(client, config, signal);
    }
    tail.noteRunning();
    const guest = guestOf(vm, host(), client, tail, NOTHING_ATTACHED);
    opened.move();
    return guest;
  }

  async function connectAgain(vm: LaunchInput, { signal }: ConnectOptions): Promise<RunningVm> {
    await using opened = new AsyncDisposableStack();
    const tail = opened.use(await openTail(vm));
    const client = opened.use(await reach(vm, tail, signal));
    const attached = await readAttached(attachedFile(vm.paths));
    // The program may have been taken away or replaced since: its guests run on.
    const onHost = known ?? (await describeHost(settings, client.version, []));
    const guest = guestOf(vm, onHost, client, tail, attached);
    opened.move();
    return guest;
  }

  /** Does not wait for a process that takes in a guest. */
  async function reach({ name, paths }: LaunchInput, tail: EventTail, signal: AbortSignal): Promise<ApiClient> {
    const socket = apiSocket(paths);
    if (!tail.history.receiving) {
      askedInVain.delete(socket);
      return ApiClient.connect(socket, { signal, patient: false });
    }
    const now = settings.clock.monotonicMs();
    const patience = AbortSignal.timeout(RECEIVING_PATIENCE_MS);
    try {
      const before = askedInVain.get(socket);
      if (before !== undefined && now < before.againAt) throw new Error("asked just now");
      const pauseMs = Math.min(MOST_SELDOM_MS, before === undefined ? ASK_AGAIN_MS : 2 * before.pauseMs);
      askedInVain.set(socket, { againAt: now + pauseMs, pauseMs });
      const client = await ApiClient.connect(socket, { signal: AbortSignal.any([signal, patience]), patient: false });
      askedInVain.delete(socket);
      tail.noteAnswering();
      return client;
    } catch (error) {
      signal.throwIfAborted();
      if (isOdoroboError(error)) throw error;
      throw new OdoroboError(
        "HYPERVISOR_BUSY",
        `${name} takes in a guest from another host and answers nobody meanwhile`,
        {
          hint: "wait until the guest is there; to call it off, end this process",
        },
      );
    }
  }

  async function receive(
    vm: LaunchInput,
    { url, signal }: { readonly url: string; readonly signal: AbortSignal },
  ): Promise<IncomingGuest> {
    await using opened = new AsyncDisposableStack();
    const client = opened.use(await ApiClient.connect(apiSocket(vm.paths), { signal, patient: true }));
    const tail = opened.use(await openTail(vm));
    // Who aborts lets go of it, also later: the process goes on waiting until it is ended.
    const reception = await receiveGuest(client, tail, { url, signal });
    const held = opened.move();
    const arrived = reception.arrived.then(
      () => {
        tail.noteRunning();
        return guestOf(vm, host(), client, tail, NOTHING_ATTACHED);
      },
      async (error: unknown) => {
        await held.disposeAsync();
        throw error;
      },
    );
    arrived.catch(() => {});
    return { url: reception.url, arrived };
  }

  async function admit(
    vm: LaunchInput,
    { again, signal }: { readonly again: boolean; readonly signal: AbortSignal },
  ): Promise<Admission> {
    const parts = {
      vm,
      tail: await openTail(vm),
      configFor: (version: string) => toCheckedConfig(vm, host(), version),
      toGuest: (client: ApiClient, attached: Attached) => guestOf(vm, host(), client, parts.tail, attached),
    };
    return again ? admitAgain(parts, signal) : admitGuest(parts, signal);
  }

  const guestOf = (
    vm: LaunchInput,
    onHost: CloudHypervisorHost,
    client: ApiClient,
    tail: EventTail,
    attached: Attached,
  ): RunningVm =>
    new CloudHypervisorGuest({
      vm,
      host: onHost,
      client,
      tail,
      attached,
      removalMs: settings.removalMs ?? REMOVAL_MS,
      clock: settings.clock,
    });

  return {
    kind: "cloud-hypervisor",
    disks: "real",
    guessesFormats: () => !knows("image_type", host().version),
    async probe(signal) {
      known = await probeCloudHypervisor(settings, signal);
      return known && toReport(known);
    },
    compile: (vm) => toLaunchCommand(vm, host()),
    snapshotPaths,
    async lastWord(vm) {
      await using tail = await openTail(vm);
      return lastWord(tail.history);
    },
    connect: (vm, options) => (options.fresh ? connectFresh(vm, options) : connectAgain(vm, options)),
    receive,
    admit,
  };
}

const openTail = ({ paths }: LaunchInput): Promise<EventTail> =>
  EventTail.open({ events: eventsFile(paths), seen: eventsSeenFile(paths) });
