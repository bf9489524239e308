/**
 * Which changes are left to windows, and whether theirs is open: the nearest windows that are written count, the VM's own before
 * its group's, its node's and the fleet's.
 *
 *   policy, windows → [windows.ts] → make-plan.ts (waits, or is done until it closes), check-plan.ts
 */
import type { Change, Waiting } from "../model/changes.ts";
import type { DesiredState, DisruptionRule, DisruptiveClass, SourcePosition } from "../model/desired-state.ts";
import type { Instant, NodeName, VmName } from "../model/names.ts";
import { describeWindow, openingAt, type Window } from "../model/windows/window.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import type { Step, StepKind } from "../schedule/step.ts";

/** What a VM's own windows are there for, where no policy says otherwise. */
const LEFT_TO_WINDOWS: ReadonlySet<string> = new Set(["pause", "reboot", "replace"] satisfies DisruptiveClass[]);

type Disturbance = Pick<Change, "name" | "node" | "fromNode" | "action" | "class">;

export type Hour =
  /** No window is asked for. */
  | { readonly kind: "any" }
  | { readonly kind: "open"; readonly until: Instant }
  | { readonly kind: "closed"; readonly window: Waiting["window"] };

interface Windows {
  readonly windows: readonly Window[];
  /** `of group web` */
  readonly whose: string;
  readonly source: SourcePosition | null;
}

export class Hours {
  readonly #desired: DesiredState;
  readonly #sightings: Sightings;
  readonly #at: Instant;
  readonly #vms: ReadonlyMap<VmName, DesiredState["vms"][number]>;

  constructor(desired: DesiredState, sightings: Sightings, at: Instant) {
    this.#desired = desired;
    this.#sightings = sightings;
    this.#at = at;
    this.#vms = new Map(desired.vms.map((vm) => [vm.name, vm]));
  }

  of(change: Disturbance): Hour {
    if (!disturbs(change)) return { kind: "any" };
    const rule = ruleFor(this.#desired, change);
    if (rule !== undefined && rule.says !== "window") return { kind: "any" };
    const found = this.#windowsOf(change.name, change.fromNode ?? change.node);
    if (rule === undefined && (found === null || !LEFT_TO_WINDOWS.has(change.class))) return { kind: "any" };
    const opening = found === null ? null : openingAt(found.windows, this.#at);
    if (found === null || opening === null) {
      const text = "no window is written for it";
      return { kind: "closed", window: { opens: null, closes: null, text, source: rule?.source ?? null } };
    }
    const { opens, closes, isOpen, window } = opening;
    if (isOpen) return { kind: "open", until: closes };
    const text = `${describeWindow(window)}, ${found.whose}`;
    return { kind: "closed", window: { opens, closes, text, source: window.source ?? found.source } };
  }

  #windowsOf(name: VmName, node: NodeName): Windows | null {
    const vm = this.#vms.get(name);
    if (vm?.windows?.length) return { windows: vm.windows, whose: "its own", source: vm.whereIs("/spec/windows") };
    const group = this.#desired.groups.find((each) => each.name === this.#groupOf(name));
    if (group?.windows?.length) return { windows: group.windows, whose: `of group ${group.name}`, source: null };
    const host = this.#desired.nodes.find((each) => each.name === node);
    if (host?.windows?.length) return { windows: host.windows, whose: `of node ${host.name}`, source: null };
    const { windows } = this.#desired.fleet.policy;
    return windows?.length ? { windows, whose: "of the fleet", source: null } : null;
  }

  /** Of one that goes: the group it was in. */
  #groupOf(name: VmName): string | null {
    const vm = this.#vms.get(name);
    if (vm !== undefined) return vm.spec.group;
    const location = this.#sightings.locate(name);
    return location.kind === "present" ? location.vm.spec.group : null;
  }
}

/** Nobody is disturbed by a VM that is made or started. */
const disturbs = ({ action, class: each }: Disturbance): boolean =>
  action !== "create" && action !== "boot" && each !== "none" && each !== "metadata";

/** What the policy says about such a change; undefined: nothing. */
export function ruleFor({ fleet }: DesiredState, change: Disturbance): DisruptionRule | undefined {
  return disturbs(change) ? fleet.policy.disruption?.[change.class as DisruptiveClass] : undefined;
}

const DISTURBING: ReadonlySet<StepKind> = new Set(["migrateVm", "rebootVm", "shutdownVm", "pauseVm", "deleteVm"]);

/**
 * The steps of a plan with the time until which each VM's may be begun: up to the first that disturbs its guest. Once it was
 * disturbed the rest of its chain is to go on: nobody is left deleted and not made anew.
 */
export function withClosings(steps: readonly Step[], closings: ReadonlyMap<VmName, Instant>): readonly Step[] {
  if (closings.size === 0) return steps;
  const disturbed = new Set<VmName>();
  const disturbedLater = new Set(steps.filter(({ kind }) => DISTURBING.has(kind)).map(({ vm }) => vm));
  return steps.map((step) => {
    const until = closings.get(step.vm);
    if (until === undefined || disturbed.has(step.vm)) return step;
    if (DISTURBING.has(step.kind) || !disturbedLater.has(step.vm)) disturbed.add(step.vm);
    return { ...step, until };
  });
}
