/**
 * A Cloud Hypervisor process that takes a guest in from another agent. It lets the guest run as soon as the last request reaches it, and that one the
 * relay holds back until `take`.
 *
 * A process whose agent died finds its connection gone: with all of the guest in it, it stands paused with it, and is let run by its API; with less, it
 * has nothing, or waits for ever.
 */
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { sendsTo } from "../../../../model/cloud-hypervisor/version.ts";
import type { VmConfig } from "../../../../model/cloud-hypervisor/vm-config.ts";
import { OdoroboError } from "../../../../model/errors.ts";
import type { Admission, LaunchInput, RunningVm } from "../../hypervisor.ts";
import { type Attached, readAttached, writeAttached } from "../attached.ts";
import { makeConfinedFolders } from "../boot.ts";
import { ApiClient } from "../client.ts";
import type { EventTail } from "../event-tail.ts";
import { apiSocket, attachedFile } from "../files.ts";
import { receiveGuest } from "../receive.ts";
import { abortable } from "../wait.ts";
import { configForHere } from "./config-for-here.ts";
import { type RelayIn, relayIn } from "./relay-in.ts";
import { readTravellingMachine } from "./travelling-machine.ts";

/** One that waits in vain answers nobody, and one that has its guest at once. */
const AGAIN_MS = 2_000;

export interface IncomingParts {
  readonly vm: LaunchInput;
  readonly tail: EventTail;
  /** What this agent would boot the same VM with, in a process of this version. */
  readonly configFor: (version: string) => VmConfig;
  /** With what was opened so far: it is the guest's from then on. */
  readonly toGuest: (client: ApiClient, attached: Attached) => RunningVm;
}

const incomingSocket = ({ paths }: LaunchInput): string => join(paths.runFolder, "in.sock");

/** The process was just started. Resolves when it listens. */
export async function admitGuest(parts: IncomingParts, signal: AbortSignal): Promise<Admission> {
  const { vm, tail } = parts;
  const { version: from, attached } = readTravellingMachine(vm.machine);
  await using opened = new AsyncDisposableStack();
  opened.use(tail);
  const client = opened.use(await ApiClient.connect(apiSocket(vm.paths), { signal, patient: true }));
  if (!sendsTo(from, client.version))
    throw new OdoroboError(
      "UNSUPPORTED",
      `${vm.name} runs on Cloud Hypervisor ${from}, and ${client.version} here does not take it in as it runs`,
      { hint: "guests go to the same major version or to the next one; stop it and start it here" },
    );
  const own = parts.configFor(client.version);
  await makeConfinedFolders(own, vm.paths.diskFolder);
  await writeAttached(attachedFile(vm.paths), attached);
  const path = incomingSocket(vm);
  await rm(path, { force: true });
  const life = opened.use(new AbortOnDispose());
  const waiting = AbortSignal.any([signal, life.signal]);
  const reception = await receiveGuest(client, tail, { url: `unix:${path}`, signal: life.signal, until: waiting });
  const kept = opened.move();
  let relay: RelayIn | null = null;
  const came = Promise.withResolvers<RelayIn>();

  return {
    connect(channel, stream) {
      refuseOthers(vm, channel);
      if (relay !== null) throw new OdoroboError("BAD_REQUEST", `${vm.name} is on its way already`);
      const socket = connect({ path, allowHalfOpen: true });
      // Before v52 the process takes it away itself.
      socket.once("connect", () => void rm(path, { force: true }).catch(() => {}));
      relay = relayIn(stream, socket, (config) => configForHere(config, own));
      came.resolve(relay);
    },
    async releaseDisks() {},
    async whole(until) {
      // It may fail without a word on the connection.
      const failed = reception.arrived.then(() => new Promise<never>(() => {}));
      await abortable(Promise.race([came.promise.then(({ held }) => held), failed]), until);
    },
    async take({ paused }) {
      const outcome = (await relay?.complete()) ?? "refused";
      if (outcome === "refused")
        throw new OdoroboError("HYPERVISOR_FAILED", `Cloud Hypervisor could not let ${vm.name} run on`, {
          hint: "why stands in cloud-hypervisor.log of the VM on this node",
        });
      if (outcome === "unknown")
        throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `nobody knows whether ${vm.name} runs in its process here`);
      // From here on it may have run, whatever goes wrong.
      await reception.arrived.catch((error: unknown) => {
        throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `${vm.name} has come, and its process does not answer`, {
          cause: error,
        });
      });
      tail.noteRunning();
      const guest = parts.toGuest(client, attached);
      kept.move();
      relay?.close();
      await standAs(guest, paused).catch(() => {
        // Whoever looks after it sees how it stands.
      });
      return guest;
    },
    async [Symbol.asyncDispose]() {
      relay?.close();
      await kept.disposeAsync();
    },
  };
}

/** The process was told to by an agent before this one. */
export async function admitAgain(parts: IncomingParts, signal: AbortSignal): Promise<Admission> {
  const { vm, tail } = parts;
  const attached = await readAttached(attachedFile(vm.paths));
  await using opened = new AsyncDisposableStack();
  opened.use(tail);
  const client = await ApiClient.connect(apiSocket(vm.paths), {
    signal: AbortSignal.any([signal, AbortSignal.timeout(AGAIN_MS)]),
    patient: false,
  }).catch(() => null);
  signal.throwIfAborted();
  if (client !== null) {
    opened.use(client);
    tail.noteAnswering();
  }
  const kept = opened.move();
  const reach = async (until: AbortSignal): Promise<ApiClient> => {
    const info = await client?.call("vm.info", { signal: until }).catch(() => null);
    until.throwIfAborted();
    if (client !== null && info?.state === "Paused") return client;
    throw new OdoroboError("HYPERVISOR_FAILED", `the guest ${vm.name} will not come: what was to send it is gone`);
  };
  return {
    connect: (channel) => refuseOthers(vm, channel),
    async releaseDisks() {},
    whole: async (until) => void (await reach(until)),
    async take({ paused }, until) {
      const here = await reach(until);
      if (!paused) await here.call("vm.resume", { signal: until });
      tail.noteRunning();
      kept.move();
      return parts.toGuest(here, attached);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

function refuseOthers(vm: LaunchInput, channel: string): void {
  if (channel !== "memory") throw new OdoroboError("BAD_REQUEST", `${vm.name} has no ${channel} to take in`);
}

/** The process that it comes from said how it stood there. */
async function standAs(guest: RunningVm, paused: boolean): Promise<void> {
  const signal = AbortSignal.timeout(AGAIN_MS);
  const { phase } = await guest.status(signal);
  if (phase === "paused" && !paused) await guest.resume(signal);
  if (phase === "running" && paused) await guest.pause(signal);
}

class AbortOnDispose implements Disposable {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;

  [Symbol.dispose](): void {
    this.#controller.abort(new Error("it is not waited for any more"));
  }
}
