/**
 * What one changed field does to this guest now: the class, and why it is not milder.
 *
 * Asked first of the rules that the guest itself reports, then of the capabilities of the node's hypervisor and of the room this
 * very guest was booted with, never of a constant table: memory up is `live` only while hotplug room is left.
 */
import type { ChangeClass } from "../model/change-class.ts";
import { type FieldDifference, isSameHardware, sameValue } from "../model/fields.ts";
import type { ChangeRule, HypervisorCapabilities, LiveConfig, OwedChange } from "../model/observed-state.ts";
import type { CloudInit, Disk, Nic } from "../model/vm-spec.ts";
import { judgeByRules, onlyGrows } from "./judge-by-rules.ts";
import { cloudInitNote, NETWORK_NOTE } from "./judge-cloud-init.ts";

/** The guest as it runs, or null when it does not: then nothing can disturb it. */
export interface RunningGuest {
  readonly live: LiveConfig;
  /** Empty: nothing finer than the capabilities. */
  readonly rules: readonly ChangeRule[];
  readonly capabilities: HypervisorCapabilities | null;
  /** What was asked of it before and is not done. */
  readonly owed: readonly OwedChange[];
}

export type Verdict =
  | { readonly kind: "class"; readonly class: ChangeClass; readonly note: string | null }
  /** Must not be done at all. */
  | {
      readonly kind: "blocked";
      readonly code: "SHRINK" | "UNSUPPORTED";
      readonly message: string;
      readonly hint: string;
    };

const METADATA = new Set([
  "runStrategy",
  "labels",
  "annotations",
  "ready",
  "migration",
  "onDrain",
  "group",
  "protect",
  "retain.disks",
  "shutdownGrace",
]);

const inClass = (changeClass: ChangeClass, note: string | null = null): Verdict => ({
  kind: "class",
  class: changeClass,
  note,
});

const NOT_RUNNING = inClass("metadata", "it does not run: takes effect at its next boot");

/** `made`: names of the disks that exist; undefined: nobody says so, and each may. */
export function classify(
  difference: FieldDifference,
  guest: RunningGuest | null,
  made: readonly string[] | undefined,
): Verdict {
  const { path } = difference;
  if (METADATA.has(path)) return inClass("metadata");
  if (path === "hypervisor") return inClass("replace", "a guest cannot change its hypervisor");
  if (path.startsWith("disks.") && (made === undefined || made.includes(path.slice("disks.".length)))) {
    const verdict = classifyContent(difference);
    if (verdict !== null) return verdict;
  }
  if (path.startsWith("nics.") && isOtherNetworkName(difference)) return inClass("metadata");
  if (path.startsWith("nics.")) {
    const verdict = judgeSurroundings(difference, guest !== null);
    if (verdict !== null) return verdict;
  }
  if (path === "cloudInit")
    return inClass(
      guest === null ? "metadata" : "reboot",
      cloudInitNote(difference.from as CloudInit | null, difference.to as CloudInit | null),
    );
  if (path.startsWith("nics.") && isOtherAddress(difference))
    return inClass(guest === null ? "metadata" : "reboot", NETWORK_NOTE);
  if (guest === null) return NOT_RUNNING;
  if (path.startsWith("nics.") && isOtherForwards(difference))
    return guest.capabilities?.live.forwards === true
      ? inClass("live")
      : inClass("reboot", "this hypervisor forwards ports from a guest's boot on");
  if (isHeld(difference, guest)) return inClass("reboot", "the guest does not let go of it");
  // Nothing of it is the guest's: it only gets more or less of a busy node.
  if (path.startsWith("weights."))
    return inClass("metadata", "at once where systemd keeps the guest, else at its next boot");
  return judgeByRules(difference, guest.rules) ?? judgeByCapabilities(difference, guest);
}

/** Asked once more it would be held once more. */
const isHeld = ({ path }: FieldDifference, { owed }: RunningGuest): boolean =>
  owed.some((each) => each.held && each.path === path);

function judgeByCapabilities(difference: FieldDifference, { live, capabilities }: RunningGuest): Verdict {
  const { path, from, to } = difference;
  const can = capabilities?.live;
  if (path.startsWith("disks.")) return judgeDisk(difference, can);
  if (path.startsWith("nics.")) return judgeNic(difference, can);
  switch (path) {
    case "cpus.count":
      return resize(from, to, live.cpus.max, can?.cpusUp, can?.cpusDown, "vCPUs");
    case "memory.size":
      return resize(from, to, live.memory.maxMiB, can?.memoryUp, can?.memoryDown, "MiB");
    case "disks":
    case "nics":
      return inClass("reboot", "the order is read only at boot");
    case "cpus.max":
    case "memory.max":
      return inClass("reboot", "room for growth is given at boot");
    default:
      return inClass("reboot", "read only at boot");
  }
}

function resize(from: unknown, to: unknown, max: number, up = false, down = false, unit: string): Verdict {
  if (Number(to) < Number(from))
    return down ? inClass("live") : inClass("reboot", "this hypervisor cannot take it away while the guest runs");
  if (!up) return inClass("reboot", "this hypervisor cannot add it while the guest runs");
  if (Number(to) > max)
    return inClass(
      "reboot",
      `the guest was booted with room for ${max} ${max === 1 && unit === "vCPUs" ? "vCPU" : unit}`,
    );
  return inClass("live");
}

/** What the bytes of a disk decide, whether a guest runs or not: null where they have no objection. */
function classifyContent({ path, from, to }: FieldDifference): Verdict | null {
  const before = from as Disk | null;
  const after = to as Disk | null;
  if (before === null || after === null) return null;
  if (before.origin.kind === "external" || after.origin.kind === "external") return null;
  const name = path.slice("disks.".length);
  const other = isOtherContent(before, after);
  if (other) {
    return {
      kind: "blocked",
      code: "UNSUPPORTED",
      message: `disk ${name} exists and is never overwritten: ${other}`,
      hint: "give the disk a new name to start from the new image; the old disk stays on the node",
    };
  }
  if (after.origin.sizeMiB < before.origin.sizeMiB) {
    return {
      kind: "blocked",
      code: "SHRINK",
      message: `disk ${name} cannot shrink from ${before.origin.sizeMiB} MiB to ${after.origin.sizeMiB} MiB: what is beyond would be lost`,
      hint: `set its size to at least ${before.origin.sizeMiB}MiB`,
    };
  }
  // Only the Image's name can be left, or what new disks are made over: the bytes are the same.
  const isSame = before.readonly === after.readonly && after.origin.sizeMiB === before.origin.sizeMiB;
  return isSame ? inClass("metadata", isOtherSource(before, after) ? STAYS_OVER : null) : null;
}

type LiveCapabilities = HypervisorCapabilities["live"] | undefined;

function judgeDisk({ from, to }: FieldDifference, can: LiveCapabilities): Verdict {
  const before = from as Disk | null;
  const after = to as Disk | null;
  if (before === null || after === null) {
    const possible = before === null ? can?.diskAttach : can?.diskDetach;
    return possible ? inClass("live") : inClass("reboot", "this hypervisor does not hotplug disks");
  }
  if (!onlyGrows(before, after)) return inClass("reboot", "a disk in use cannot be exchanged");
  return can?.diskGrow ? inClass("live") : inClass("reboot", "this hypervisor cannot grow a disk while the guest runs");
}

/** In words, when two own disks of one name cannot be the same bytes; else null. */
function isOtherContent({ origin: before }: Disk, { origin: after }: Disk): string | null {
  if (before.kind !== after.kind) return `it is ${describe(before.kind)} and cannot become ${describe(after.kind)}`;
  if (
    before.kind === "image" &&
    after.kind === "image" &&
    (before.path !== after.path || before.format !== after.format)
  ) {
    return `it was made from ${before.path}, the manifest now says ${after.path}`;
  }
  return null;
}

/** ADR 18, 55: a disk is never put over other bytes than it was made over. */
const STAYS_OVER = "this disk stays over the bytes that it was made over; new ones are made over the new";

const isOtherSource = ({ origin: before }: Disk, { origin: after }: Disk): boolean =>
  before.kind === "image" && after.kind === "image" && !sameValue(before.remote, after.remote);

const describe = (kind: Disk["origin"]["kind"]): string =>
  kind === "image" ? "a copy of an image" : "an empty volume";

/**
 * What of a NIC is not the guest's: rules, and the network that its agent makes. Null: something else of it differs, too.
 * Guests ask again for what their agent's own server tells them when half of their lease is over.
 */
function judgeSurroundings({ from, to }: FieldDifference, runs: boolean): Verdict | null {
  if (from === null || to === null) return null;
  const [before, after] = [from as Nic, to as Nic];
  if (!isSameHardware(withoutConfig(before), withoutConfig(after))) return null;
  const isTold = !sameValue(before.config ?? {}, after.config ?? {});
  if (!runs) return inClass("metadata");
  if (isTold && after.made?.dhcp !== true) return inClass("reboot", NETWORK_NOTE);
  return inClass(
    "live",
    isTold
      ? "its node changes the network at once; the guest hears of it when it asks for its address again, at the latest at its next boot"
      : "its node's rules change at once; what has begun goes on until it ends",
  );
}

const withoutConfig = ({ config: _config, ...nic }: Nic): Nic => nic;

/** The Network has another name and is the same one. */
function isOtherNetworkName({ from, to }: FieldDifference): boolean {
  if (from === null || to === null) return false;
  return sameValue({ ...(from as Nic), network: "" }, { ...(to as Nic), network: "" });
}

function isOtherAddress({ from, to }: FieldDifference): boolean {
  if (from === null || to === null) return false;
  return sameValue({ ...(from as Nic), address: null }, { ...(to as Nic), address: null });
}

function isOtherForwards({ from, to }: FieldDifference): boolean {
  if (from === null || to === null) return false;
  const { forwards: _before, ...before } = from as Nic;
  const { forwards: _after, ...after } = to as Nic;
  return sameValue(before, after);
}

function judgeNic({ from, to }: FieldDifference, can: LiveCapabilities): Verdict {
  if (from !== null && to !== null) return inClass("reboot", "a NIC in use cannot be exchanged");
  const possible = from === null ? can?.nicAttach : can?.nicDetach;
  return possible ? inClass("live") : inClass("reboot", "this hypervisor does not hotplug NICs");
}
