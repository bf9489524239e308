/** One running QEMU guest: RunningVm over a QMP connection. */

import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { LiveConfig, Movable } from "../../../model/observed-state.ts";
import type { Disk, VmSpec } from "../../../model/vm-spec.ts";
import type { Clock } from "../../../platform/clock.ts";
import { consoleLog } from "../../launch-command.ts";
import type { SerialPort } from "../../serial-port.ts";
import type {
  GuestAbilities,
  GuestStatus,
  HeldDevice,
  HypervisorEvent,
  LaunchInput,
  RunningVm,
  Stall,
} from "../hypervisor.ts";
import { type Attached, withDisk, withNic, withReleased, withReleasing, writeAttached } from "./attached.ts";
import { attachedFile } from "./compile.ts";
import { deviceIdOf, diskId } from "./device-ids.ts";
import type { QemuHost } from "./host.ts";
import { listForwards } from "./host-forwards.ts";
import { liveChanges } from "./live-changes.ts";
import { toLiveConfig } from "./live-config.ts";
import { movable } from "./moving/movable.ts";
import { outgoingGuest } from "./moving/outgoing.ts";
import { type ChangeContext, performChange, removeRemains, removeUnusedNodes } from "./perform-changes.ts";
import type { QmpClient } from "./qmp/qmp.ts";
import type { BlockBackend, QmpEvent } from "./qmp/qmp-commands.ts";

const DEVICES_KNOWN_MS = 30_000;
/** How long one that hangs may pass for one that runs, beside the time that it is waited for. */
const RUNNING_KNOWN_MS = 1_000;

/**
 * One reboot of a guest is two or three resets: the one that it asks for, one of the firmware, one more with several processors, all
 * within 0.15 s on QEMU 7.2. None boots and reboots again so soon, but one that faults as it starts, and that is told each second.
 */
const SAME_RESET_MS = 1000;

/** Events after which the guest's status may be another. */
const STATUS_EVENTS: ReadonlySet<string> = new Set([
  "SHUTDOWN",
  "RESET",
  "STOP",
  "RESUME",
  "GUEST_PANICKED",
  "SUSPEND",
  "WAKEUP",
]);

export interface QemuGuestParts {
  readonly vm: LaunchInput;
  /** As it is when it is asked. */
  readonly host: () => QemuHost;
  readonly qmp: QmpClient;
  readonly serial: SerialPort;
  readonly attached: Attached;
  readonly detachMs: number;
  readonly clock: Clock;
}

export class QemuGuest implements RunningVm {
  readonly serial: SerialPort;
  readonly loggedBy = "hypervisor";
  readonly consoleLog: string;
  readonly abilities: GuestAbilities;
  readonly #parts: QemuGuestParts;
  readonly #listeners = new Set<() => void>();
  readonly #eventListeners = new Set<(event: HypervisorEvent) => void>();
  #attached: Attached;
  #resetAtMs = Number.NEGATIVE_INFINITY;
  #devices: { readonly live: LiveConfig; readonly askedAtMs: number } | null = null;
  /** When it last said that it runs; nothing was heard of it since. */
  #runningAtMs: number | null = null;
  /** How often it may have changed: an answer that was under way meanwhile may be of before. */
  #changes = 0;

  constructor(parts: QemuGuestParts) {
    this.#parts = parts;
    this.#attached = parts.attached;
    this.abilities = { depart: outgoingGuest(() => this.#asItIs(), parts.qmp) };
    this.serial = parts.serial;
    this.consoleLog = consoleLog(parts.vm.paths);
    parts.qmp.onEvent((event) => {
      this.#forget();
      const told = toHypervisorEvent(event);
      if (told !== null && (told.kind !== "reboot" || this.#isNewReset()))
        for (const listener of this.#eventListeners) listener(told);
      if (STATUS_EVENTS.has(event.event) || event.event === "DEVICE_DELETED") this.#changed();
    });
    void parts.qmp.closed.then(() => this.#changed());
  }

  /** Whatever stops it is told by an event: one that ran a moment ago and has said nothing since still does, or hangs. */
  async status(signal: AbortSignal): Promise<GuestStatus> {
    const { qmp, clock } = this.#parts;
    const askedAtMs = clock.monotonicMs();
    const known = this.#runningAtMs;
    if (known !== null && askedAtMs - known < RUNNING_KNOWN_MS && !qmp.isClosed) return { phase: "running" };
    const changes = this.#changes;
    const { status } = await qmp.call("query-status", { signal });
    this.#runningAtMs = status === "running" && changes === this.#changes ? askedAtMs : null;
    if (status === "io-error") return { phase: "paused", stalled: await this.#stall(signal) };
    return toGuestStatus(status);
  }

  /**
   * QEMU serves no second client, and tells what the guest changes by an event: until one comes, or we change something, its
   * devices are as they were. Asked anew after a while all the same, for who gave it another monitor by hand.
   */
  async liveConfig(signal: AbortSignal): Promise<LiveConfig> {
    const { qmp, vm, clock } = this.#parts;
    const known = this.#devices;
    if (known !== null && clock.monotonicMs() - known.askedAtMs < DEVICES_KNOWN_MS) return known.live;
    const [askedAtMs, changes] = [clock.monotonicMs(), this.#changes];
    const hasUserNetwork = [...vm.spec.nics, ...this.#attached.nics].some((nic) => nic.attachment.kind === "user");
    const [peripherals, cpuSlots, memory, blocks, forwards] = await Promise.all([
      qmp.call("qom-list", { path: "/machine/peripheral" }, { signal }),
      qmp.call("query-hotpluggable-cpus", { signal }),
      qmp.call("query-memory-size-summary", { signal }),
      qmp.call("query-block", { signal }),
      hasUserNetwork ? listForwards(qmp, signal) : undefined,
    ]);
    await this.#forgetReleased(new Set(peripherals.map(({ name }) => name)), signal);
    const live = toLiveConfig(vm.spec, this.#attached, {
      ...{ peripherals, cpuSlots, memory, blocks },
      ...(forwards === undefined ? {} : { forwards }),
    });
    if (changes === this.#changes) this.#devices = { live, askedAtMs };
    return live;
  }

  async heldDevices(signal: AbortSignal): Promise<readonly HeldDevice[]> {
    // Looks which of them the guest has let go of since.
    await this.liveConfig(signal);
    return this.#attached.releasing.map(({ list, name, since }) => ({ path: `${list}.${name}`, since }));
  }

  movable(): Movable {
    const { vm } = this.#parts;
    const [held] = this.#attached.releasing;
    if (held !== undefined)
      return {
        live: false,
        why: `it was asked to let go of ${held.list}.${held.name} and has not: after its next boot`,
      };
    return movable(vm);
  }

  async powerButton(signal: AbortSignal): Promise<void> {
    await this.#parts.qmp.call("system_powerdown", { signal });
  }

  async pause(signal: AbortSignal): Promise<void> {
    await this.#parts.qmp.call("stop", { signal });
  }

  async resume(signal: AbortSignal): Promise<void> {
    await this.#parts.qmp.call("cont", { signal });
  }

  /** Tries every change, then says which failed: one disk in use must not keep a CPU away. */
  async update(spec: VmSpec, signal: AbortSignal): Promise<void> {
    const context = this.#changeContext(signal);
    this.#forget();
    await removeUnusedNodes(context);
    const failures: unknown[] = [];
    for (const change of liveChanges(await this.liveConfig(signal), spec)) {
      try {
        await performChange(change, context).finally(() => this.#forget());
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) {
      const messages = failures.map((error) => (error instanceof Error ? error.message : String(error)));
      throw new OdoroboError("HYPERVISOR_FAILED", `${failures.length} changes failed: ${messages.join("; ")}`, {
        hint: failures.find((error) => isOdoroboError(error))?.hint,
      });
    }
  }

  /** QEMU may be gone before its answer is out. */
  async quit(signal: AbortSignal): Promise<void> {
    const { qmp } = this.#parts;
    if (qmp.isClosed) return;
    await qmp.call("quit", { signal }).catch((error: unknown) => {
      if (!qmp.isClosed) throw error;
    });
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** What happens while nobody is connected QEMU does not remember: but how the guest ended its status says. */
  onEvent(listener: (event: HypervisorEvent) => void): void {
    this.#eventListeners.add(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear();
    this.#eventListeners.clear();
    await this.#parts.qmp[Symbol.asyncDispose]();
  }

  /** With what was attached since its boot: that is what it has. */
  #asItIs(): LaunchInput {
    const { vm } = this.#parts;
    const { disks, nics } = this.#attached;
    return { ...vm, spec: { ...vm.spec, disks: [...vm.spec.disks, ...disks], nics: [...vm.spec.nics, ...nics] } };
  }

  async #stall(signal: AbortSignal): Promise<Stall> {
    const { qmp, vm } = this.#parts;
    const blocks = await qmp.call("query-block", { signal });
    return toStall(blocks, [...vm.spec.disks, ...this.#attached.disks]);
  }

  #isNewReset(): boolean {
    const now = this.#parts.clock.monotonicMs();
    const isNew = now - this.#resetAtMs >= SAME_RESET_MS;
    if (isNew) this.#resetAtMs = now;
    return isNew;
  }

  #forget(): void {
    this.#changes++;
    this.#devices = null;
    this.#runningAtMs = null;
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** A device that was added anew under the name of one that is gone is asked for anew. */
  #changeContext(signal: AbortSignal): ChangeContext {
    const { vm, host, qmp, detachMs, clock } = this.#parts;
    return {
      vm,
      host: host(),
      qmp,
      detachMs,
      signal,
      remember: (item) =>
        this.#note("disk" in item ? withDisk(this.#attached, item.disk) : withNic(this.#attached, item.nic)),
      noteReleasing: async (device) => {
        const noted = withReleasing(this.#attached, { ...device, since: clock.now() });
        if (noted === this.#attached) return true;
        await this.#note(noted);
        return false;
      },
      noteReleased: (device) => this.#note(withReleased(this.#attached, [{ ...device, since: clock.now() }])),
    };
  }

  async #note(attached: Attached): Promise<void> {
    this.#attached = attached;
    await writeAttached(attachedFile(this.#parts.vm.paths), attached);
  }

  /** A guest may let go of a device long after it was asked, and does at its reset. */
  async #forgetReleased(present: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const gone = this.#attached.releasing.filter((each) => !present.has(deviceIdOf(each)));
    if (gone.length === 0) return;
    try {
      await removeRemains(gone, { qmp: this.#parts.qmp, signal });
      await this.#note(withReleased(this.#attached, gone));
    } catch {
      // Still held, then, as far as anybody can tell; the next look tries again.
      signal.throwIfAborted();
    }
  }
}

/** Null: nothing that people want to hear of. */
export function toHypervisorEvent({ event, data }: QmpEvent): HypervisorEvent | null {
  switch (event) {
    case "RESET":
      return data.guest === true ? { kind: "reboot", message: "the guest rebooted itself" } : null;
    case "GUEST_PANICKED":
      return { kind: "panic", message: "the guest's kernel panicked" };
    default:
      return null;
  }
}

/** What stands behind the run state `io-error`. Pure. */
export function toStall(blocks: readonly BlockBackend[], disks: readonly Pick<Disk, "name">[]): Stall {
  const bad = blocks.filter(({ "io-status": status = "ok" }) => status !== "ok");
  const nodes = new Set(bad.map(({ inserted }) => inserted?.["node-name"]));
  const names = new Set(disks.filter(({ name }) => nodes.has(diskId(name))).map(({ name }) => name));
  return { disks: [...names].sort(), noRoom: bad.length > 0 && bad.every((each) => each["io-status"] === "nospace") };
}

/** QEMU's run states (qapi/run-state.json) in our words. */
export function toGuestStatus(state: string): GuestStatus {
  switch (state) {
    case "running":
    // ACPI sleep is the guest's own choice; `resume` would not wake it.
    case "suspended":
      return { phase: "running" };
    case "shutdown":
    // We never start a guest stopped: it is here when a guest that powered off asked for a reset as well.
    case "prelaunch":
      return { phase: "off", endedBy: "guest", reason: "the guest powered itself off" };
    case "guest-panicked":
      return { phase: "off", endedBy: "failure", reason: "the guest's kernel panicked" };
    case "internal-error":
      return { phase: "off", endedBy: "failure", reason: "QEMU could not go on running the guest (internal error)" };
    case "postmigrate":
      return { phase: "off", endedBy: "guest", reason: "it has moved to another host", hasMoved: true };
    default:
      return { phase: "paused" };
  }
}
