/**
 * Resize, attach and detach by hand: in the running guest only. The spec of the record stays, so the next plan shows the
 * difference; what the guest was booted with follows what it has (`booted-spec.ts`).
 */
import { OdoroboError } from "../../../model/errors.ts";
import { sameValue } from "../../../model/fields.ts";
import { fileUrl, parseDiskUrl } from "../../../model/identity/disk-url.ts";
import { diskInWordsOf } from "../../../model/identity/in-words-of.ts";
import type { LiveConfig } from "../../../model/observed-state.ts";
import type { Disk, VmSpec } from "../../../model/vm-spec.ts";
import type { OperationRequest } from "../../../wire/operations.ts";
import { confinePath } from "../../confine-path.ts";
import type { GuestRecord, VmRecord } from "../../store/vm-record.ts";
import { checkSources } from "../guest/check-sources.ts";
import { claimDisks } from "../guest/claim-disks.ts";
import { updateGuest } from "../guest/update-guest.ts";
import type { Act, Outcome } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { abilityOf, runningGuest } from "./call-hypervisor.ts";
import { prepareDisks } from "./prepare-disks.ts";

const BALLOON_DEADLINE_MS = 10_000;
const LOOK_DEADLINE_MS = 10_000;

type Asked<Kind extends OperationRequest["kind"]> = Extract<OperationRequest, { readonly kind: Kind }>;

/** Rejects with WRONG_PHASE, BAD_REQUEST, NOT_FOUND or UNSUPPORTED. */
export async function prepareResize(parts: Parts, slot: Slot, vm: VmRecord, asked: Asked<"resize">): Promise<Act> {
  const guest = runningGuest(slot);
  const { cpus, memoryMiB, balloonMiB, disk } = asked;
  if (cpus === null && memoryMiB === null && balloonMiB === null && disk === null)
    throw new OdoroboError("BAD_REQUEST", `nothing of ${vm.name} is to be resized`, { hint: "say what, and to what" });
  const live = await liveOf(parts, slot);
  const now = specOf(vm, live);
  const wanted: VmSpec = {
    ...now,
    cpus: { ...now.cpus, count: cpus ?? now.cpus.count },
    memory: { ...now.memory, sizeMiB: memoryMiB ?? now.memory.sizeMiB },
    disks: disk === null ? now.disks : resized(vm, now.disks, disk),
  };
  refuseTooMuch(vm, wanted);
  return {
    begin: vm,
    async run(signal) {
      const outcome =
        cpus === null && memoryMiB === null && disk === null
          ? { stored: vm, error: null }
          : await updateGuest(parts, slot, vm, wanted, signal);
      if (outcome.error === null && balloonMiB !== null)
        await guest.ask(BALLOON_DEADLINE_MS, signal, (connection, own) =>
          abilityOf(guest, connection.abilities.setBalloon, "give memory back")(balloonMiB, own),
        );
      return checked(slot, outcome, (has) => {
        if (cpus !== null && has.cpus.count !== cpus) return `it has ${has.cpus.count} vCPUs, not ${cpus}`;
        if (memoryMiB !== null && has.memory.sizeMiB !== memoryMiB)
          return `it has ${has.memory.sizeMiB} MiB of memory, not ${memoryMiB}`;
        const size = disk && sizeOf(has.disks.find((each) => each.name === disk.name));
        return size !== null && size !== undefined && size !== disk?.sizeMiB
          ? `disk ${disk?.name} has ${size} MiB, not ${disk?.sizeMiB}`
          : null;
      });
    },
  };
}

/** Rejects with WRONG_PHASE, BAD_REQUEST or PATH_NOT_ALLOWED. */
export async function prepareAttach(parts: Parts, slot: Slot, vm: VmRecord, { device }: Asked<"attach">): Promise<Act> {
  const guest = runningGuest(slot);
  const now = specOf(vm, await liveOf(parts, slot));
  const disk = device.list === "disks" ? await confined(parts, device.disk) : null;
  const item = device.list === "disks" ? (disk as Disk) : device.nic;
  const present = now[device.list].find((each) => each.name === item.name);
  if (slot.held.some(({ path }) => path === `${device.list}.${item.name}`))
    throw new OdoroboError(
      "BAD_REQUEST",
      `${vm.name} was asked to let go of ${item.name} and has not: it holds it still`,
      {
        hint: "attach it under another name, or when the guest has let go: odorobo vm info shows it; a reboot makes it",
      },
    );
  // Attached by a request whose end nobody heard of.
  const said = disk === null || present === undefined ? item : diskInWordsOf(present as Disk, disk);
  if (present !== undefined && sameValue(present, said))
    return { begin: null, run: async () => ({ stored: vm, error: null }) };
  if (present !== undefined)
    throw new OdoroboError("BAD_REQUEST", `${vm.name} has another ${item.name} already`, {
      hint: "give it another name",
    });
  const wanted: VmSpec =
    device.list === "nics"
      ? { ...now, nics: [...now.nics, device.nic] }
      : { ...now, disks: [...now.disks, ...(disk === null ? [] : [disk])] };
  if (disk !== null) {
    await checkSources(guest.hypervisor, { name: vm.name, spec: { ...now, disks: [disk] }, paths: guest.input.paths });
    await claimDisks(parts, slot, wanted, now);
  }
  // In the record before it is there: should the agent die in between, the end of the guest finds what is to be taken away.
  const begin: VmRecord = { ...vm, guest: { ...(vm.guest as GuestRecord), bootedSpec: wanted } };
  return {
    begin,
    async run(signal) {
      const only = { ...vm, spec: { ...vm.spec, disks: disk === null ? [] : [disk] } };
      const made = { ...vm, ...(await prepareDisks(parts, guest.hypervisor, only, { grow: false, signal })) };
      return checked(slot, await updateGuest(parts, slot, made, wanted, signal), (has) =>
        has[device.list].some((each) => each.name === item.name) ? null : `it has no ${item.name}`,
      );
    },
  };
}

/** Rejects with WRONG_PHASE or NOT_FOUND. The bytes of a disk stay where they are. */
export async function prepareDetach(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  { device: { list, name } }: Asked<"detach">,
): Promise<Act> {
  const now = specOf(vm, await liveOf(parts, slot));
  if (!now[list].some((each) => each.name === name))
    throw new OdoroboError("NOT_FOUND", `the guest ${vm.name} has no ${list === "disks" ? "disk" : "NIC"} ${name}`, {
      hint: `what it has: odorobo vm info ${vm.name}`,
    });
  const wanted: VmSpec = { ...now, [list]: now[list].filter((each) => each.name !== name) };
  return {
    begin: vm,
    run: async (signal) =>
      checked(slot, await updateGuest(parts, slot, vm, wanted, signal), (has) =>
        has[list].some((each) => each.name === name)
          ? `it has ${name} still: the guest was asked to let go of it${sinceWhen(slot, list, name)} and did not. It may yet; until then its process holds it`
          : null,
      ),
  };
}

function sinceWhen({ held }: Slot, list: "disks" | "nics", name: string): string {
  const since = held.find(({ path }) => path === `${list}.${name}`)?.since;
  return since === undefined ? "" : ` at ${since}`;
}

/** What the guest was booted with and what it has now, as a spec to change. */
const specOf = (vm: VmRecord, live: LiveConfig): VmSpec => {
  const { bootedSpec } = vm.guest as GuestRecord;
  const { cpus, memory, disks, nics } = live;
  return { ...bootedSpec, cpus, memory, disks, nics };
};

async function liveOf(parts: Parts, slot: Slot): Promise<LiveConfig> {
  return runningGuest(slot).ask(LOOK_DEADLINE_MS, parts.stopping, (connection, own) => connection.liveConfig(own));
}

function resized(vm: VmRecord, disks: readonly Disk[], wanted: { readonly name: string; readonly sizeMiB: number }) {
  const disk = disks.find((each) => each.name === wanted.name);
  if (disk === undefined)
    throw new OdoroboError("NOT_FOUND", `the guest ${vm.name} has no disk ${wanted.name}`, {
      hint: `its disks: odorobo vm info ${vm.name}`,
    });
  const { origin } = disk;
  if (origin.kind === "external")
    throw new OdoroboError("UNSUPPORTED", `disk ${disk.name} of ${vm.name} is not odorobo's to resize: ${origin.url}`, {
      hint: "resize it where it comes from",
    });
  if (wanted.sizeMiB < origin.sizeMiB)
    throw new OdoroboError(
      "UNSUPPORTED",
      `disk ${disk.name} of ${vm.name} has ${origin.sizeMiB} MiB and cannot shrink`,
      {
        hint: "disks only grow",
      },
    );
  return disks.map((each) => (each === disk ? { ...each, origin: { ...origin, sizeMiB: wanted.sizeMiB } } : each));
}

function refuseTooMuch({ name }: VmRecord, { cpus, memory }: VmSpec): void {
  const refuse = (what: string): never => {
    throw new OdoroboError("UNSUPPORTED", `${name} was booted with room for ${what}`, {
      hint: "give it more room in its manifest: the next boot has it",
    });
  };
  if (cpus.count > cpus.max) refuse(`${cpus.max} ${cpus.max === 1 ? "vCPU" : "vCPUs"}`);
  if (memory.sizeMiB > memory.maxMiB) refuse(`${memory.maxMiB} MiB of memory`);
}

const sizeOf = (disk: Disk | undefined): number | null =>
  disk === undefined || disk.origin.kind === "external" ? null : disk.origin.sizeMiB;

/** A hypervisor leaves undone what it cannot do live; who asked by hand wants to know. */
function checked(slot: Slot, outcome: Outcome, problem: (has: LiveConfig) => string | null): Outcome {
  if (outcome.error !== null || slot.live === null) return outcome;
  const left = problem(slot.live);
  if (left === null) return outcome;
  return {
    stored: outcome.stored,
    error: new OdoroboError("UNSUPPORTED", `${slot.name} took not all of it while it runs: ${left}`, {
      hint: "change its manifest: the plan says what a reboot would make of it",
    }),
  };
}

/** Somebody else's bytes are taken only from where the agent may take them; what it makes itself needs no leave. */
async function confined(parts: Parts, disk: Disk): Promise<Disk> {
  const { origin } = disk;
  if (origin.kind === "image")
    return { ...disk, origin: { ...origin, path: await confinePath(origin.path, parts.allowedRoots) } };
  if (origin.kind === "blank") return disk;
  const place = parseDiskUrl(origin.url);
  switch (place.kind) {
    case "file":
      return { ...disk, origin: { ...origin, url: fileUrl(await confinePath(place.path, parts.allowedRoots)) } };
    case "nbd+unix": {
      const socket = await confinePath(place.socket, parts.allowedRoots);
      const url = `nbd+unix:///${encodeURIComponent(place.name)}?socket=${encodeURIComponent(socket)}`;
      return { ...disk, origin: { ...origin, url } };
    }
    case "problem":
      throw new OdoroboError("BAD_REQUEST", `the source of disk ${disk.name} ${place.message}`, { hint: place.hint });
    default:
      return disk;
  }
}
