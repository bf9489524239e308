/**
 * One VM: what it should be (desired), what it was last told (applied), what it is (live) → what must happen to it, and why.
 *
 *   locate-vms.ts → [diff-vm.ts] → place-vms.ts → make-steps.ts
 *
 * Desired differs from applied: we changed our mind (`git`). Live differs from applied: somebody else did (`drift`).
 */

import { hasProcess, heldBy, NOTHING, sizeOf } from "../model/capacity.ts";
import { type ChangeClass, isWorse, worstClass } from "../model/change-class.ts";
import type { Action, Blocked, Reason, RejectedChain, SeenVm, Unknown } from "../model/changes.ts";
import type { DesiredNode, DesiredVm, Maintenance } from "../model/desired-state.ts";
import {
  compareLive,
  compareSpecs,
  type FieldDifference,
  isCovered,
  keepFields,
  toLiveConfig,
} from "../model/fields.ts";
import { inWordsOf } from "../model/identity/in-words-of.ts";
import { mayLiveOn } from "../model/may-live-on.ts";
import type { ImageProblem, NodeReport, StalledState, VmReport } from "../model/observed-state.ts";
import { isLocal, type VmSpec, wantsRunning } from "../model/vm-spec.ts";
import { findHypervisor, whyUnsupported } from "./check-support.ts";
import { classify, type RunningGuest } from "./classify.ts";
import { departureOf, disruptionOf, toMover, whyRooted } from "./departure.ts";
import { describeDifference } from "./describe-difference.ts";
import type { Draft, Homeless } from "./draft.ts";
import { type Drain, drainOf } from "./drain.ts";
import { NEW_DISKS_NOTE } from "./judge-cloud-init.ts";
import type { KeptDisks } from "./locate-vms.ts";

export type Finding =
  | { readonly kind: "unchanged" }
  | { readonly kind: "change"; readonly draft: Draft }
  | { readonly kind: "homeless"; readonly homeless: Homeless }
  | { readonly kind: "unknown"; readonly unknown: Unknown }
  | { readonly kind: "blocked"; readonly blocked: Blocked };

export interface Present {
  readonly vm: VmReport;
  readonly node: DesiredNode;
  readonly report: NodeReport;
  /** The node is to be empty; null: it is not, or not now. */
  readonly maintenance: Maintenance | null;
  readonly remains: readonly KeptDisks[];
}

export function diffPresentVm(
  desired: DesiredVm,
  { vm, node, report, maintenance, remains }: Present,
  fleet: string,
): Finding {
  const rejected: RejectedChain[] = [];
  const reject = (chain: ChangeClass, field: string | null, because: string) =>
    rejected.push({ chain: [chain], field, because });
  const blocked = (code: Blocked["code"], message: string, hint: string): Finding => ({
    kind: "blocked",
    blocked: { name: desired.name, code, message, hint, source: desired.source, ...toldIf(rejected) },
  });
  if (vm.fleet !== fleet) {
    const owner = vm.fleet === null ? "made by hand" : `of the fleet ${vm.fleet}`;
    return blocked(
      "FOREIGN",
      `${node.name} already has a VM of this name, ${owner}`,
      "rename one of the two, or delete that VM yourself",
    );
  }
  if (vm.phase === "starting" || vm.phase === "stopping" || report.unfinished.some((entry) => entry.vm === vm.name)) {
    const because = `an operation is under way on ${node.name} (${vm.phase}); plan again when it has ended`;
    return { kind: "unknown", unknown: { kind: "VirtualMachine", name: vm.name, node: node.name, because } };
  }

  // The same disk or address in another spelling is no difference, and nobody is given one.
  const spec = inWordsOf(vm.spec, keepFields(desired.spec, vm.spec, desired.ignore));
  // Giving a spec makes the guest like it: what is ignored is given as the guest has it.
  const given = () => (vm.live === null ? spec : keepFields(spec, { ...vm.spec, ...vm.live }, desired.ignore));
  const seen: SeenVm = { node: node.name, generation: vm.generation, serial: vm.serial };
  const reasons: Reason[] = [];
  const isForbidden = !mayLiveOn(desired.placement, node);
  const departure = departureOf(desired, spec, { vm, report, remains });
  const rooted = isForbidden ? whyRooted(departure) : null;
  const drain: Drain = isForbidden ? { kind: "none" } : drainOf(vm, spec, node, maintenance, departure);
  if (drain.kind === "blocks") {
    reject("migrate", null, drain.because);
    return blocked("NOT_MOVABLE", drain.message, drain.hint);
  }
  if (drain.kind === "stops" || drain.kind === "pauses") reject("migrate", "onDrain", "its onDrain says otherwise");
  if (drain.kind === "moves") reasons.push(becauseOfNode(node, drain.class, drain.text));
  const leaves = isForbidden || drain.kind === "moves";
  if (rooted !== null) reject("migrate", "placement", rooted);
  const how = leaves && departure.kind === "able" ? departure.how : null;
  if (how?.mode === "cold" && how.runs) reject("migrate", isForbidden ? "placement" : null, how.why);
  if (isForbidden) {
    const source = desired.whereIs("/spec/placement") ?? desired.source;
    const disruption = how === null ? null : disruptionOf(how);
    const text =
      disruption !== null
        ? `its placement no longer allows ${node.name}${disruption.instead === null ? "" : `; ${disruption.instead}`}`
        : `its placement no longer allows ${node.name}, and it cannot be migrated (${rooted}): ${whatIsLeft(vm)}`;
    reasons.push({
      because: "placement",
      field: "placement",
      from: node.name,
      to: null,
      class: disruption?.class ?? "replace",
      text,
      source,
    });
  }

  const running = hasProcess(vm);
  const guest: RunningGuest | null = running
    ? {
        live: vm.live ?? toLiveConfig(vm.spec),
        rules: vm.changeRules ?? [],
        capabilities: findHypervisor(vm.spec, report)?.capabilities ?? null,
        owed: vm.owed ?? [],
      }
    : null;
  const git = compareSpecs(vm.spec, spec);
  const drift =
    vm.live === null ? [] : compareLive(vm.live, spec).filter((each) => !isCovered(each.pointer, desired.ignore));
  for (const [difference, because] of merge(git, drift, vm.live !== null)) {
    const verdict = classify(difference, guest, vm.disks);
    if (verdict.kind === "blocked") return blocked(verdict.code, verdict.message, verdict.hint);
    if (guest !== null && because !== "git-only" && verdict.note !== null && isWorse(verdict.class, "live"))
      reject("live", difference.path, verdict.note);
    const isOwed = because === "drift" && owedTo(vm, difference) !== undefined;
    reasons.push({
      because: because === "git-only" ? "git" : isOwed ? "pending" : because,
      field: difference.path,
      from: difference.from,
      to: difference.to,
      // The guest has it already: only the agent's record must learn of it.
      class: because === "git-only" ? "metadata" : verdict.class,
      text: describeDifference(difference, because === "drift" ? whoseDrift(difference, vm) : verdict.note),
      source: desired.whereIs(difference.pointer),
    });
  }

  if (git.length > 0 && !leaves) {
    const why = whyUnsupported(spec, report);
    if (why !== null)
      return blocked("UNSUPPORTED", `${node.name} ${why}`, "change the spec, or place the VM on a node that has it");
  }
  const replaced = reasons.find((reason) => reason.class === "replace");
  if (replaced && vm.spec.protect) {
    const hint = "put back what asks for the replacement, or first apply its manifest with protect: false";
    return blocked(
      "PROTECTED",
      `${vm.name} on ${node.name} is protected and would have to be replaced: ${replaced.text}`,
      hint,
    );
  }
  if (replaced) {
    return {
      kind: "homeless",
      homeless: {
        vm: desired,
        spec,
        keptDisks: null,
        remains,
        from: { seen, held: heldBy(vm), stays: !leaves },
        moves: null,
        reasons,
        ...toldIf(rejected),
      },
    };
  }

  const power = decidePower(vm, spec, desired, drain, node, reasons);
  if (reasons.length === 0 && running && vm.live === null) {
    const because = `what its guest has cannot be seen: ${vm.reason ?? "its hypervisor does not answer"}`;
    return { kind: "unknown", unknown: { kind: "VirtualMachine", name: vm.name, node: node.name, because } };
  }
  if (reasons.length === 0 && vm.stalled !== undefined && vm.phase === "paused")
    return blocked("STALLED", `${vm.name} on ${node.name} ${vm.reason ?? "stands still"}`, whatHelps(vm.stalled));
  if (reasons.length === 0) return { kind: "unchanged" };
  const broken = power === "boot" || power === "reboot" ? brokenDisk(vm, spec) : null;
  if (broken !== null) return blocked(broken.code, `${node.name}: ${broken.message}`, broken.hint);
  const put =
    git.length > 0 || reasons.some((reason) => OF_GUEST.has(reason.because) && reason.class !== "reboot")
      ? given()
      : null;
  const changeClass = worstClass(reasons.map((reason) => reason.class));
  // What its node's maintenance stops is to come back: its room stays its own.
  const holds =
    power === "shutdown" && drain.kind !== "stops"
      ? false
      : running || power === "boot" || wantsRunning(spec.runStrategy, vm.endedBy === "guest") === true;
  const draft: Draft = {
    name: vm.name,
    node: node.name,
    action: leaves ? "migrate" : toAction(power, changeClass),
    class: changeClass,
    reasons,
    ...toldIf(rejected),
    seen,
    put,
    power,
    staysDown: power === "shutdown" && drain.kind === "stops",
    restsAfter: power === "reboot" && (drain.kind === "pauses" || drain.kind === "rests"),
    before: heldBy(vm),
    after: holds ? sizeOf(put === null && power === "reboot" ? spec : given()) : NOTHING,
    // Its owner said that it is to be off, or to stand still, while its node is in maintenance: elsewhere it would be woken.
    departure:
      drain.kind === "rests"
        ? { kind: "rooted", why: "it rests until the maintenance of its node is over" }
        : departure,
    group: spec.group,
    source: desired.source,
  };
  const mover = leaves ? toMover(draft) : null;
  return mover === null ? { kind: "change", draft } : { kind: "homeless", homeless: mover };
}

const toldIf = (rejected: readonly RejectedChain[]): { readonly rejected?: readonly RejectedChain[] } =>
  rejected.length === 0 ? {} : { rejected: [...rejected] };

const becauseOfNode = (node: DesiredNode, changeClass: ChangeClass, text: string): Reason => ({
  because: "placement",
  field: null,
  from: node.name,
  to: null,
  class: changeClass,
  text,
  source: node.source,
});

/** What a VM that is made anew on another node leaves on this one. */
function whatIsLeft({ spec, disks: made = spec.disks.map((disk) => disk.name) }: VmReport): string {
  const local = spec.disks.filter(
    (disk) => isLocal(disk.origin) && (disk.origin.kind === "external" || made.includes(disk.name)),
  );
  if (local.length === 0) return "it is deleted here and made anew elsewhere";
  const names = local.map((disk) => disk.name).join(", ");
  const what = local.length === 1 ? `its local disk ${names} stays behind` : `its local disks ${names} stay behind`;
  return spec.cloudInit === null ? what : `${what}; ${NEW_DISKS_NOTE}`;
}

const OF_GUEST: ReadonlySet<Reason["because"]> = new Set(["drift", "pending"]);

const owedTo = ({ owed = [] }: VmReport, { path }: FieldDifference) => owed.find((each) => each.path === path);

/** Why a guest is not as its spec says: what odorobo has left undone is told by nobody else's name. */
function whoseDrift(difference: FieldDifference, vm: VmReport): string {
  const mine = owedTo(vm, difference);
  if (mine === undefined) return "changed by someone else, not by odorobo";
  const why = mine.held
    ? "the guest was asked to let go of it and has not"
    : "it was applied and the guest does not have it yet";
  return `owed since ${mine.since}: ${why}`;
}

/** Desired against applied, and desired against live, as one list by field. `git-only`: the running guest is already as desired. */
function merge(
  git: readonly FieldDifference[],
  drift: readonly FieldDifference[],
  liveKnown: boolean,
): [FieldDifference, "git" | "git-only" | "drift"][] {
  if (git.length === 0 && drift.length === 0) return [];
  const live = new Map(drift.map((each) => [each.path, each]));
  const merged: [FieldDifference, "git" | "git-only" | "drift"][] = git.map((difference) => {
    const seen = live.get(difference.path);
    live.delete(difference.path);
    if (seen) return [seen, "git"];
    return [difference, liveKnown && isAsked(difference.path) ? "git-only" : "git"];
  });
  for (const difference of live.values()) merged.push([difference, "drift"]);
  return merged;
}

const ASKED = /^(cpus|memory|passthrough)\.|^(boot|cloudInit)$|^(disks|nics)\./;
const isAsked = (path: string): boolean => ASKED.test(path);

/** Why the disks that it would start with cannot be used: its agent would refuse, after it had been shut down. */
function brokenDisk({ images = [] }: VmReport, { disks }: VmSpec): ImageProblem | null {
  const used = images.filter((image) => disks.some((disk) => disk.name === image.disk));
  return used.find((image) => image.problem !== undefined)?.problem ?? null;
}

/** Its disk stays over what it was made over, though the image's path leads to a newer one. */
function whatItStandsOn({ images = [] }: VmReport): string {
  const left = images.flatMap(({ disk, file, pathNow }) =>
    pathNow === undefined ? [] : [`; disk ${disk} stays over ${file}, though its image's path leads to ${pathNow} now`],
  );
  return left.join("");
}

const whatHelps = ({ disks, noRoom }: StalledState): string =>
  noRoom
    ? `make room on the node where ${disks.join(", ") || "its disks"} ${disks.length === 1 ? "is" : "are"} kept; nothing needs to be applied`
    : "see to the disk, then: odorobo vm resume";

/** Whether the guest must be started, stopped or cycled; adds the reason where it is the guest's state and not a field. */
function decidePower(
  vm: VmReport,
  spec: VmSpec,
  desired: DesiredVm,
  drain: Drain,
  node: DesiredNode,
  reasons: Reason[],
): Draft["power"] {
  const wants = wantsRunning(spec.runStrategy, vm.endedBy === "guest");
  const because = (to: string, changeClass: ChangeClass, text: string) => {
    const source = desired.whereIs("/spec/runStrategy") ?? desired.source;
    reasons.push({ because: "state", field: null, from: vm.phase, to, class: changeClass, text, source });
  };
  if (!hasProcess(vm)) {
    if (wants !== true || drain.kind === "rests") return null;
    const story = (vm.reason === null ? "" : `: ${vm.reason}`) + whatItsAgentDoes(vm) + whatItStandsOn(vm);
    because("running", "live", vm.endedBy === null ? "it has never run" : `it should run and is ${vm.phase}${story}`);
    return "boot";
  }
  if (wants === false) {
    because("stopped", "reboot", `it ${vm.phase === "paused" ? "is paused" : "runs"} and should be off`);
    return "shutdown";
  }
  if (drain.kind === "stops") {
    reasons.push(becauseOfNode(node, "reboot", drain.text));
    return "shutdown";
  }
  const needsReboot = reasons.some((reason) => !isWorse("reboot", reason.class));
  if (needsReboot) return "reboot";
  if (drain.kind === "pauses") {
    reasons.push(becauseOfNode(node, "pause", drain.text));
    return "pause";
  }
  if (drain.kind === "rests") return null;
  // Its agent lets it go on as soon as it can; before that nobody could.
  if (vm.phase === "paused" && wants === true && vm.stalled === undefined) {
    because("running", "live", `it should run and is paused${vm.reason === null ? "" : `: ${vm.reason}`}`);
    return "resume";
  }
  return null;
}

/** Booting it first does no harm: the agent starts nothing that runs. */
function whatItsAgentDoes({ restart }: VmReport): string {
  if (restart === undefined || restart.nextAt === null) return "";
  const tries = restart.attempts === 0 ? "" : `, after ${restart.attempts} starts that did not last`;
  return `; its agent starts it again at ${restart.nextAt}${tries}`;
}

function toAction(power: Draft["power"], changeClass: ChangeClass): Action {
  if (power === "boot") return "boot";
  if (power === "shutdown") return "stop";
  return changeClass === "reboot" ? "reboot" : "update";
}
