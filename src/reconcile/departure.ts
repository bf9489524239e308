/**
 * Whether a guest can go to another node as it runs, as far as its own node can tell; the other's half is asked by `placement/`.
 *
 *   diff-vm.ts → [departure.ts] → place-vms.ts
 */
import type { DesiredVm } from "../model/desired-state.ts";
import type { NodeReport, VmReport } from "../model/observed-state.ts";
import { type VmSpec, wantsRunning } from "../model/vm-spec.ts";
import { findHypervisor } from "./check-support.ts";
import type { Departure, Draft, Homeless } from "./draft.ts";
import type { KeptDisks } from "./locate-vms.ts";

interface Seen {
  readonly vm: VmReport;
  readonly report: NodeReport;
  readonly remains: readonly KeptDisks[];
}

/** `spec`: as desired; what it is sent with is the one last applied. */
export function departureOf(desired: DesiredVm, spec: VmSpec, { vm, report, remains }: Seen): Departure {
  const rooted = (why: string): Departure => ({ kind: "rooted", why });
  if (vm.phase !== "running") return rooted(`it is ${vm.phase}`);
  if (vm.live === null) return rooted("what its guest has cannot be seen");
  if (wantsRunning(spec.runStrategy, vm.endedBy === "guest") === false) return rooted("it is to be off");
  if (spec.migration.mode === "never") return rooted("its migration mode is never");
  if (spec.migration.mode === "cold")
    return rooted("its migration mode is cold, and guests are moved live only so far");
  const by = findHypervisor(vm.spec, report);
  if (by?.capabilities.moves?.live !== true) {
    const what = by === undefined ? vm.spec.hypervisor : `${by.kind} ${by.version}`;
    return rooted(`${what} on ${report.node.name} does not send guests`);
  }
  if (vm.movable?.live === false) return rooted(vm.movable.why);
  return { kind: "able", vm: desired, spec, remains, applied: vm.spec, by };
}

/** Null: it is not rooted. */
export const whyRooted = (departure: Departure): string | null => (departure.kind === "rooted" ? departure.why : null);

/** The same change, done elsewhere: the guest goes there first. Null: it cannot, or is not to go on. */
export function toMover(draft: Draft): Homeless | null {
  if (draft.departure.kind === "rooted" || (draft.power !== null && draft.power !== "reboot")) return null;
  const { vm, spec, remains, applied, by } = draft.departure;
  return {
    vm,
    spec,
    keptDisks: null,
    remains,
    from: { seen: draft.seen, held: draft.before, stays: false },
    moves: { applied, by, draft },
    reasons: draft.reasons,
    ...(draft.rejected === undefined ? {} : { rejected: draft.rejected }),
  };
}
