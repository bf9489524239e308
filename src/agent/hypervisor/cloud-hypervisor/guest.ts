/**
 * One running Cloud Hypervisor guest: RunningVm over its API and its events.
 *
 * What `vm.info` says of a VM, and what it means here (see history.ts):
 *
 *   404                        never defined, or deleted by hand         off
 *   Created                    never booted, or shut down since          off
 *   Created with devices       a boot or reboot broke off half-way       off, a failure
 *   Running, Paused            as it says; frozen while it migrates away
 *   no answer                  it takes in a guest from another host, or hangs
 */
import type { RequestBodies, VmInfo } from "../../../model/cloud-hypervisor/api.ts";
import { type ChangeFacts, changeRules } from "../../../model/cloud-hypervisor/change-rules.ts";
import { type ListedDevice, withHeldDevices } from "../../../model/cloud-hypervisor/held-devices.ts";
import { type LiveCall, planLiveChanges } from "../../../model/cloud-hypervisor/live-changes.ts";
import { toLiveConfig } from "../../../model/cloud-hypervisor/live-config.ts";
import { slotsOf } from "../../../model/cloud-hypervisor/place-devices.ts";
import type { VmConfigPlaces } from "../../../model/cloud-hypervisor/places.ts";
import { toVmConfig } from "../../../model/cloud-hypervisor/to-vm-config.ts";
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { Instant } from "../../../model/names.ts";
import type { ChangeRule, LiveConfig, Movable } from "../../../model/observed-state.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { Clock } from "../../../platform/clock.ts";
import { consoleLog } from "../../launch-command.ts";
import type { SerialPort } from "../../serial-port.ts";
import type {
  GuestAbilities,
  GuestStatus,
  HeldDevice,
  HypervisorEvent,
  LaunchInput,
  RawAnswer,
  RawRequest,
  RunningVm,
} from "../hypervisor.ts";
import { type Attached, knownSpec, withCalls, writeAttached } from "./attached.ts";
import type { ApiClient } from "./client.ts";
import { type DiskBytes, DiskSizes, wantedBytes } from "./disk-bytes.ts";
import type { EventTail } from "./event-tail.ts";
import { attachedFile, fileUrl, placesOf } from "./files.ts";
import { describeHeld, findHeld } from "./held.ts";
import { type Intent, isIntent, lastWord, mayChangeStatus, toGuestStatus, toHypervisorEvent } from "./history.ts";
import type { CloudHypervisorHost } from "./host.ts";
import { movable } from "./moving/movable.ts";
import { outgoingGuest } from "./moving/outgoing.ts";
import { askToRelease, performChanges, refuseToShrink } from "./perform-changes.ts";
import { sendGuest } from "./send.ts";
import { serialPort } from "./serial-port.ts";
import { takeSnapshot } from "./snapshot.ts";
import { asksAgain } from "./version.ts";

const MIB = 1024 * 1024;

/**
 * A look asks for status, configuration and rules at once: one answer serves all three. Whatever changes by us or is told by
 * an event ends it; this is for what somebody else does on the socket.
 */
const INFO_LASTS_MS = 50;
/** Told by a guest that nobody listens to yet. */
const MAX_UNHEARD = 100;
/** Where its serial line is can be asked again. */
const SERIAL_MS = 5000;
/** It answers before it ends, or never. */
const QUIT_MS = 5000;

export interface CloudHypervisorGuestParts {
  readonly vm: LaunchInput;
  readonly host: CloudHypervisorHost;
  readonly client: ApiClient;
  readonly tail: EventTail;
  readonly attached: Attached;
  readonly removalMs: number;
  readonly clock: Clock;
}

export class CloudHypervisorGuest implements RunningVm {
  readonly serial: SerialPort;
  readonly loggedBy = "agent";
  readonly consoleLog: string;
  readonly abilities: GuestAbilities;
  readonly #parts: CloudHypervisorGuestParts;
  /** Asked for by this agent, and not over: its events say so later. */
  #isSending = false;
  /** All of it was sent, and its process stands still: whoever ends it kills it as it stands. */
  #isFrozen = false;
  readonly #listeners = new Set<() => void>();
  #eventListener: ((event: HypervisorEvent) => void) | null = null;
  #unheard: HypervisorEvent[] = [];
  #attached: Attached;
  #info: { readonly answer: VmInfo | null; readonly at: number } | null = null;
  readonly #diskSizes = new DiskSizes();
  /** Worked out from these; while they are the same objects, it stands. */
  #live: {
    readonly info: VmInfo;
    readonly sizes: DiskBytes;
    readonly attached: Attached;
    readonly value: LiveConfig;
  } | null = null;
  readonly #heldSince = new Map<string, Instant>();
  #rules: { readonly info: VmInfo; readonly value: readonly ChangeRule[] } | null = null;

  constructor(parts: CloudHypervisorGuestParts) {
    this.#parts = parts;
    this.#attached = parts.attached;
    this.serial = serialPort(parts.client.pid, () => this.#ask(AbortSignal.timeout(SERIAL_MS)));
    this.consoleLog = consoleLog(parts.vm.paths);
    parts.tail.noteVersion(parts.client.version);
    parts.tail.listen({
      onEvent: (event, before) => {
        const told = toHypervisorEvent(before, event);
        if (told !== null) this.#tell(told);
        if (mayChangeStatus(event)) this.#changed();
      },
      onGap: () => this.#changed(),
    });
    this.abilities = {
      nmi: async (signal) => {
        await parts.client.call("vm.nmi", { signal });
      },
      coredump: async (file, signal) => {
        await parts.client.call("vm.coredump", { destination_url: fileUrl(file) }, { signal });
      },
      snapshot: (folder, signal) => this.#snapshot(folder, signal),
      setBalloon: (sizeMiB, signal) => this.#setBalloon(sizeMiB, signal),
      counters: (signal) => parts.client.call("vm.counters", { signal }),
      migrate: async (to, signal) => {
        const { client, tail, vm } = parts;
        this.#isSending = true;
        try {
          await sendGuest(to, { client, tail, migration: vm.spec.migration, signal });
        } finally {
          this.#isSending = false;
          this.#changed();
        }
      },
      depart: outgoingGuest({
        ...parts,
        attached: () => this.#attached,
        movable: async (signal) => {
          await this.liveConfig(signal);
          return this.movable();
        },
        held: async (signal) => this.#held(await this.#defined(signal)).map(({ id }) => id),
        onFrozen: (isFrozen) => {
          this.#isFrozen = isFrozen;
          if (!isFrozen) this.#changed();
        },
      }),
      raw: (request, signal) => this.#raw(request, signal),
    };
  }

  async status(signal: AbortSignal): Promise<GuestStatus> {
    const { tail } = this.#parts;
    try {
      // News that nobody has read yet makes the last answer an old one.
      await tail.drain();
      const info = await this.#ask(signal);
      // With the answer comes the news that led to it, but a moment later.
      await tail.drain();
      const status = toGuestStatus(info, tail.history);
      if (status.phase !== "off") tail.noteSeenRunning();
      return this.#noted(status);
    } catch (error) {
      if (!isOdoroboError(error, "HYPERVISOR_UNAVAILABLE")) throw error;
      await tail.drain();
      const word = lastWord(tail.history);
      if (word === null) throw error;
      return this.#noted(word);
    }
  }

  async liveConfig(signal: AbortSignal): Promise<LiveConfig> {
    const info = await this.#defined(signal);
    const { vm, client } = this.#parts;
    const sizes = await this.#diskSizes.of(info.config);
    if (this.#live?.info === info && this.#live.sizes === sizes && this.#live.attached === this.#attached)
      return this.#live.value;
    const value = toLiveConfig(withHeldDevices(info.config, this.#held(info)), {
      spec: knownSpec(vm.spec, this.#attached),
      places: this.#places(info),
      version: client.version,
      diskBytes: sizes,
    });
    this.#live = { info, sizes, attached: this.#attached, value };
    return value;
  }

  movable(): Movable {
    const { spec, paths } = this.#parts.vm;
    // With what was attached since its boot, and without what was taken away.
    return movable({ spec: { ...spec, disks: this.#live?.value.disks ?? spec.disks }, paths });
  }

  async changeRules(signal: AbortSignal): Promise<readonly ChangeRule[]> {
    const info = await this.#defined(signal);
    if (this.#rules?.info !== info) this.#rules = { info, value: changeRules(info.config, this.#facts(info)) };
    return this.#rules.value;
  }

  async heldDevices(signal: AbortSignal): Promise<readonly HeldDevice[]> {
    const { vm, clock } = this.#parts;
    const seen = (id: string): Instant => {
      const since = this.#heldSince.get(id) ?? clock.now();
      this.#heldSince.set(id, since);
      return since;
    };
    const { disks, nics } = knownSpec(vm.spec, this.#attached);
    const known = { ...this.#attached, disks, nics };
    return this.#held(await this.#defined(signal)).map((each) => describeHeld(each, known, seen));
  }

  async powerButton(signal: AbortSignal): Promise<void> {
    await this.#parts.client.call("vm.power-button", { signal });
  }

  async pause(signal: AbortSignal): Promise<void> {
    await this.#bring("Paused", "vm.pause", signal);
  }

  async resume(signal: AbortSignal): Promise<void> {
    await this.#bring("Running", "vm.resume", signal);
  }

  /** Tries every change that can be made live, then says which failed. */
  async update(spec: VmSpec, signal: AbortSignal): Promise<void> {
    const { vm, client, tail, removalMs, clock } = this.#parts;
    this.#info = null;
    const info = await this.#defined(signal);
    const held = this.#held(info);
    const now = withHeldDevices(info.config, held);
    const wanted = toVmConfig({ name: vm.name, spec, places: this.#places(info), version: client.version });
    const sizes = await this.#diskSizes.of(now);
    const all = planLiveChanges(now, wanted, this.#facts(info), { now: sizes, wanted: wantedBytes(spec) });
    const calls = all.filter((call) => !isRemovalOf(call, held));
    // They had their time; what they were asked in their firmware they never heard.
    if (asksAgain(client.version))
      for (const call of all) if (isRemovalOf(call, held)) await askToRelease(call.body.id, { client, signal });
    if (calls.length === 0) return;
    this.#attached = withCalls(this.#attached, calls, { now, wanted: spec, at: clock.now() });
    await writeAttached(attachedFile(vm.paths), this.#attached);
    try {
      await performChanges(calls, { client, tail, removalMs, diskBytes: sizes, clock, signal });
    } finally {
      this.#info = null;
    }
  }

  /** The process may be gone before its answer is out. */
  async quit(signal: AbortSignal): Promise<void> {
    if (this.#isFrozen) return;
    const { client, tail } = this.#parts;
    if ((this.#isSending || tail.history.sending === "under way") && !(await this.#isStillMine(signal)))
      throw new OdoroboError("WRONG_PHASE", "it is being sent to another host: ending it now would lose the guest", {
        hint: "wait until the migration has ended, or end the receiving process first",
      });
    await tail.noteIntent("vmm.shutdown");
    await client.call("vmm.shutdown", { signal, deadlineMs: QUIT_MS }).catch((error: unknown) => {
      if (!isOdoroboError(error, "HYPERVISOR_UNAVAILABLE")) throw error;
    });
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  onEvent(listener: (event: HypervisorEvent) => void): void {
    this.#eventListener = listener;
    const unheard = this.#unheard;
    this.#unheard = [];
    for (const event of unheard) listener(event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear();
    this.#eventListener = null;
    await this.#parts.tail[Symbol.asyncDispose]();
    await this.#parts.client[Symbol.asyncDispose]();
  }

  #facts({ device_tree: deviceTree }: VmInfo): ChangeFacts {
    const { vm, host, client } = this.#parts;
    return {
      version: client.version,
      architecture: host.architecture,
      memoryMaxMiB: vm.spec.memory.maxMiB,
      ...(deviceTree === undefined ? {} : { deviceTree }),
    };
  }

  #held(info: VmInfo): readonly ListedDevice[] {
    const { vm, client } = this.#parts;
    return findHeld(info, this.#attached, () => {
      const spec = knownSpec(vm.spec, this.#attached);
      return toVmConfig({ name: vm.name, spec, places: this.#places(info), version: client.version });
    });
  }

  #places({ config, device_tree: tree }: VmInfo): VmConfigPlaces {
    const { vm, host } = this.#parts;
    return placesOf(vm, host, slotsOf(config, tree));
  }

  /** Null: there is no VM in the process. */
  async #ask(signal: AbortSignal): Promise<VmInfo | null> {
    const { client, clock } = this.#parts;
    if (this.#info !== null && clock.monotonicMs() - this.#info.at < INFO_LASTS_MS) return this.#info.answer;
    const answer = await client.call("vm.info", { signal }).catch((error: unknown) => {
      if (isOdoroboError(error, "WRONG_PHASE") || isOdoroboError(error, "NOT_FOUND")) return null;
      throw error;
    });
    this.#info = { answer, at: clock.monotonicMs() };
    return answer;
  }

  async #defined(signal: AbortSignal): Promise<VmInfo> {
    const info = await this.#ask(signal);
    if (info !== null) return info;
    throw new OdoroboError("WRONG_PHASE", `the process of ${this.#parts.vm.name} has no VM in it`, {
      hint: "it was deleted by hand; boot it again",
    });
  }

  async #bring(state: "Running" | "Paused", endpoint: "vm.pause" | "vm.resume", signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.client.call(endpoint, { signal });
    } catch (error) {
      // Asked for what it is already.
      this.#info = null;
      if (!isOdoroboError(error, "WRONG_PHASE") || (await this.#ask(signal))?.state !== state) throw error;
    } finally {
      this.#info = null;
    }
  }

  async #snapshot(folder: string, signal: AbortSignal): Promise<void> {
    this.#info = null;
    const info = await this.#ask(signal);
    try {
      await takeSnapshot(this.#parts.client, folder, info?.state === "Running", signal);
    } finally {
      this.#info = null;
    }
  }

  async #setBalloon(sizeMiB: number, signal: AbortSignal): Promise<void> {
    const { balloon, memory } = (await this.#defined(signal)).config;
    if (balloon === undefined)
      throw new OdoroboError("UNSUPPORTED", `${this.#parts.vm.name} has no balloon`, {
        hint: "give it one in its manifest, and reboot it: cloudHypervisor: {balloon: {size: 0}}",
      });
    // Cloud Hypervisor takes any size for a running guest, also one that leaves it nothing.
    if (memory !== undefined && memory.size > 0 && sizeMiB * MIB >= memory.size)
      throw new OdoroboError(
        "BAD_REQUEST",
        `a balloon of ${sizeMiB} MiB would leave ${this.#parts.vm.name} no memory`,
        {
          hint: `it was booted with ${memory.size / MIB} MiB`,
        },
      );
    await this.#parts.client.call("vm.resize", { desired_balloon: sizeMiB * MIB }, { signal });
    this.#info = null;
  }

  async #raw(request: RawRequest, signal: AbortSignal): Promise<RawAnswer> {
    const { client, tail } = this.#parts;
    const endpoint = request.path.split("?", 1)[0] ?? "";
    const intent: Intent | null = isIntent(endpoint) && request.method.toUpperCase() === "PUT" ? endpoint : null;
    if (intent !== null) await tail.noteIntent(intent);
    if (endpoint === "vm.resize-disk") await this.#refuseToCut(request, signal);
    let isDone = false;
    try {
      const answer = await client.raw(request, signal);
      isDone = answer.status < 300;
      return answer;
    } finally {
      if (intent !== null && !isDone) await tail.noteIntent(null);
      if (request.method.toUpperCase() !== "GET") this.#changed();
    }
  }

  /** A size in the wrong unit would be the end of the data, whoever asked. What is no such request Cloud Hypervisor refuses. */
  async #refuseToCut({ body }: RawRequest, signal: AbortSignal): Promise<void> {
    const asked = body === null ? null : toResizeDisk(Buffer.from(body).toString("utf8"));
    if (asked === null) return;
    this.#info = null;
    refuseToShrink(asked, { diskBytes: await this.#diskSizes.of((await this.#defined(signal)).config) });
  }

  /** Whether a migration that was begun has failed without an event of it. */
  async #isStillMine(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#parts.client.call("vm.counters", { signal });
      return true;
    } catch (error) {
      return !isOdoroboError(error, "WRONG_PHASE");
    }
  }

  #noted(status: GuestStatus): GuestStatus {
    const { tail } = this.#parts;
    const { intent, toldOff } = tail.history;
    if (status.phase === "off" && status.endedBy === "guest" && intent === null && !toldOff) {
      tail.noteToldOff();
      this.#tell({ kind: "power-off", message: status.reason });
    }
    return status;
  }

  #tell(event: HypervisorEvent): void {
    if (this.#eventListener !== null) this.#eventListener(event);
    else if (this.#unheard.length < MAX_UNHEARD) this.#unheard.push(event);
  }

  #changed(): void {
    this.#info = null;
    for (const listener of [...this.#listeners]) listener();
  }
}

const isRemovalOf = (
  call: LiveCall,
  held: readonly ListedDevice[],
): call is Extract<LiveCall, { readonly endpoint: "vm.remove-device" }> =>
  call.endpoint === "vm.remove-device" && held.some(({ id }) => id === call.body.id);

function toResizeDisk(text: string): RequestBodies["vm.resize-disk"] | null {
  try {
    const { id, desired_size } = JSON.parse(text) as Partial<RequestBodies["vm.resize-disk"]>;
    return typeof id === "string" && typeof desired_size === "number" ? { id, desired_size } : null;
  } catch {
    return null;
  }
}
