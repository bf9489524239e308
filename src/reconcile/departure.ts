/**
 * Whether a VM can go to another node, as it runs or off, as far as its own node can tell; the other's half is asked by `placement/`.
 *
 *   diff-vm.ts → [departure.ts] → place-vms.ts
 */
import { type ChangeClass, worstClass } from "../model/change-class.ts";
import type { Reason } from "../model/changes.ts";
import type { DesiredVm } from "../model/desired-state.ts";
import type { HypervisorReport, NodeReport, VmReport } from "../model/observed-state.ts";
import { type VmSpec, wantsRunning } from "../model/vm-spec.ts";
import { findHypervisor } from "./check-support.ts";
import type { Departure, Draft, Homeless, Manner } from "./draft.ts";
import type { KeptDisks } from "./locate-vms.ts";

interface Seen {
  readonly vm: VmReport;
  readonly report: NodeReport;
  readonly remains: readonly KeptDisks[];
}

/** `spec`: as desired; what it is sent with is the one last applied. */
export function departureOf(desired: DesiredVm, spec: VmSpec, { vm, report, remains }: Seen): Departure {
  const rooted = (why: string): Departure => ({ kind: "rooted", why });
  const { mode } = spec.migration;
  const by = findHypervisor(vm.spec, report);
  const canCold = by?.capabilities.moves?.cold === true;
  const able = (how: Manner): Departure =>
    by === undefined
      ? rooted(`${report.node.name} has no ${vm.spec.hypervisor}`)
      : { kind: "able", vm: desired, spec, remains, applied: vm.spec, by, how };
  const isOff = vm.phase === "stopped" || vm.phase === "crashed";
  if (isOff && mode !== "never" && canCold) return able({ mode: "cold", runs: false, why: `it is ${vm.phase}` });
  if (vm.phase !== "running") return rooted(`it is ${vm.phase}`);
  if (vm.live === null) return rooted("what its guest has cannot be seen");
  if (mode === "never") return rooted("its migration mode is never");
  const why = whyNotLive(spec, by, { vm, report });
  const mayStop = canCold && mode !== "live-only";
  if (why === null) return able({ mode: "live", orCold: mayStop });
  return mayStop ? able({ mode: "cold", runs: true, why }) : rooted(why);
}

/** Of one that runs and may be moved; null: it can be, as far as its own node can tell. */
function whyNotLive(
  spec: VmSpec,
  by: HypervisorReport | undefined,
  { vm, report }: Pick<Seen, "vm" | "report">,
): string | null {
  if (wantsRunning(spec.runStrategy, vm.endedBy === "guest") === false) return "it is to be off";
  if (spec.migration.mode === "cold") return "its migration mode is cold";
  if (by?.capabilities.moves?.live !== true) {
    const what = by === undefined ? vm.spec.hypervisor : `${by.kind} ${by.version}`;
    return `${what} on ${report.node.name} does not send guests`;
  }
  return vm.movable?.live === false ? vm.movable.why : null;
}

/** What a move does to its guest, and in words what is done instead of a live one; null: it is one. */
export function disruptionOf(how: Manner): { readonly class: ChangeClass; readonly instead: string | null } {
  if (how.mode === "live") return { class: "migrate", instead: null };
  return how.runs
    ? {
        class: "reboot",
        instead: `it cannot be moved as it runs (${how.why}): it is shut down, and goes with its disks`,
      }
    : { class: "live", instead: `${how.why}, and goes with its disks` };
}

/** The same one, stopped for its move; null: it must not be, or is off already. */
export function asCold(homeless: Homeless, why: string): Homeless | null {
  const { moves } = homeless;
  if (moves === null || moves.how.mode === "cold" || !moves.how.orCold) return null;
  const how: Manner = { mode: "cold", runs: true, why };
  const { class: changeClass, instead } = disruptionOf(how);
  const { draft } = moves;
  const reason: Reason = {
    because: "placement",
    field: null,
    from: draft.node,
    to: null,
    class: changeClass,
    text: instead as string,
    source: draft.source,
  };
  const reasons = [...draft.reasons, reason];
  const rejected = [...(homeless.rejected ?? []), { chain: ["migrate"] as const, field: null, because: why }];
  const stopped = { ...draft, reasons, rejected, class: worstClass([draft.class, changeClass]) };
  return { ...homeless, moves: { ...moves, how, draft: stopped }, reasons, rejected };
}

/** Null: it is not rooted. */
export const whyRooted = (departure: Departure): string | null => (departure.kind === "rooted" ? departure.why : null);

/** What else may be done to one that moves. */
const GOES_WITH: Readonly<Record<Manner["mode"], ReadonlySet<Draft["power"]>>> = {
  live: new Set<Draft["power"]>(["reboot"]),
  cold: new Set<Draft["power"]>(["boot", "reboot", "shutdown"]),
};

/** The same change, done elsewhere: the VM goes there first. Null: it cannot, or is not to go on. */
export function toMover(draft: Draft): Homeless | null {
  if (draft.departure.kind === "rooted") return null;
  const { vm, spec, remains, applied, by, how } = draft.departure;
  if (draft.power !== null && !GOES_WITH[how.mode].has(draft.power)) return null;
  // Its owner said what its node's maintenance means for it, and that was not to leave.
  if (draft.staysDown) return null;
  return {
    vm,
    spec,
    keptDisks: null,
    remains,
    from: { seen: draft.seen, held: draft.before, stays: false },
    moves: { applied, by, how, draft },
    reasons: draft.reasons,
    ...(draft.rejected === undefined ? {} : { rejected: draft.rejected }),
  };
}
