/** A plan that is made with what is remembered of earlier ones is the plan from scratch, byte for byte, whatever happened in between. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { DesiredState, DesiredVm } from "../../src/model/desired-state.ts";
import { toLiveConfig } from "../../src/model/fields.ts";
import { instant, nodeName } from "../../src/model/names.ts";
import type { NodeReport, ObservedNode, ObservedState, VmReport } from "../../src/model/observed-state.ts";
import { makePlan } from "../../src/plan/make-plan.ts";
import { PlanMemory } from "../../src/plan/plan-memory.ts";
import { DiffMemory } from "../../src/reconcile/diff-memory.ts";
import { aFleet, NOON } from "../support/a-fleet.ts";
import { anyWorld } from "../support/any-world.ts";

interface State {
  readonly desired: DesiredState;
  readonly observed: ObservedState;
}

/** What happens next; `which`: to whom, of those there are. */
type Happening = (state: State, which: number, value: number) => State;

const withNode = (state: State, which: number, change: (node: ObservedNode) => ObservedNode): State => {
  const { nodes } = state.observed;
  const index = which % nodes.length;
  return {
    ...state,
    observed: { ...state.observed, nodes: nodes.map((node, at) => (at === index ? change(node) : node)) },
  };
};

const withReport = (state: State, which: number, change: (report: NodeReport) => NodeReport): State =>
  withNode(state, which, (node) => (node.reach === "silent" ? node : { ...node, report: change(node.report) }));

const withSeen = (state: State, which: number, change: (vm: VmReport) => VmReport): State =>
  withReport(state, which, (report) => ({
    ...report,
    vms: report.vms.map((vm, at) => (at === which % report.vms.length ? change(vm) : vm)),
  }));

const withVm = (state: State, which: number, change: (vm: DesiredVm) => DesiredVm): State => {
  const { vms } = state.desired;
  return {
    ...state,
    desired: { ...state.desired, vms: vms.map((vm, at) => (at === which % vms.length ? change(vm) : vm)) },
  };
};

const HAPPENINGS: Readonly<Record<string, Happening>> = {
  "a guest ends": (state, which, value) =>
    withSeen(state, which, (vm) => ({
      ...vm,
      phase: value % 2 === 0 ? "crashed" : "running",
      endedBy: value % 2 === 0 ? "failure" : null,
      serial: vm.serial + 1,
    })),
  "a guest drifts": (state, which, value) =>
    withSeen(state, which, (vm) => ({
      ...vm,
      live: vm.live && { ...vm.live, cpus: { ...vm.live.cpus, count: 1 + (value % 3) } },
      serial: vm.serial + 1,
    })),
  "a spec is given": (state, which, value) =>
    withSeen(state, which, (vm) => ({
      ...vm,
      spec: { ...vm.spec, cpus: { count: 1 + (value % 3), max: 4 } },
      serial: vm.serial + 1,
    })),
  "an operation is under way": (state, which, value) =>
    withReport(state, which, (report) => ({
      ...report,
      unfinished:
        value % 2 === 0
          ? []
          : (report.vms.slice(0, 1).map(({ name }) => ({
              id: "o1",
              vm: name,
              kind: "boot" as const,
              since: NOON,
              startedAt: NOON,
            })) as never),
    })),
  "a report is read anew": (state, which) => withReport(state, which, (report) => structuredClone(report)),
  "a hypervisor is another": (state, which, value) =>
    withReport(state, which, (report) => ({
      ...report,
      hypervisors: report.hypervisors.map((each) => ({
        ...each,
        version: String(value),
        capabilities: { ...each.capabilities, live: { ...each.capabilities.live, cpusUp: value % 2 === 0 } },
      })),
    })),
  "a node has less": (state, which, value) =>
    withReport(state, which, (report) => ({ ...report, capacity: { cpus: 1 + (value % 6), memoryMiB: 4096 } })),
  "a node falls silent": (state, which) =>
    withNode(state, which, ({ name }) => ({ name, reach: "silent", error: "no answer within 5 s" })),
  "a VM moves": (state, which, value) => {
    const from = state.observed.nodes[which % state.observed.nodes.length];
    const vm = from?.reach === "answered" ? from.report.vms[value % from.report.vms.length] : undefined;
    if (vm === undefined) return state;
    const gone = withReport(state, which, (report) => ({ ...report, vms: report.vms.filter((each) => each !== vm) }));
    return withReport(gone, which + value, (report) => ({ ...report, vms: [...report.vms, vm] }));
  },
  "a VM is copied": (state, which, value) => {
    const from = state.observed.nodes[which % state.observed.nodes.length];
    const vm = from?.reach === "answered" ? from.report.vms[value % from.report.vms.length] : undefined;
    return vm === undefined
      ? state
      : withReport(state, which + value, (report) => ({ ...report, vms: [...report.vms, vm] }));
  },
  "a VM is deleted": (state, which) => withReport(state, which, (report) => ({ ...report, vms: report.vms.slice(1) })),
  "a manifest says more": (state, which, value) =>
    withVm(state, which, (vm) => ({ ...vm, spec: { ...vm.spec, cpus: { count: 1 + (value % 3), max: 4 } } })),
  "manifests ignore": (state, _which, value) => ({
    ...state,
    desired: {
      ...state.desired,
      vms: state.desired.vms.map((vm) => ({ ...vm, ignore: value % 2 === 0 ? [] : ["/spec/cpus"] })),
    },
  }),
  "a manifest places": (state, which, value) =>
    withVm(state, which, (vm) => ({
      ...vm,
      placement: { ...vm.placement, nodes: value % 2 === 0 ? [] : [nodeName("n1")] },
    })),
  "a manifest goes": (state) => ({ ...state, desired: { ...state.desired, vms: state.desired.vms.slice(1) } }),
  "the manifests are read anew": (state) => ({
    ...state,
    desired: { ...state.desired, vms: state.desired.vms.map((vm) => ({ ...vm })) },
  }),
  "a node is worked on": (state, which, value) => ({
    ...state,
    desired: {
      ...state.desired,
      nodes: state.desired.nodes.map((node, at) =>
        at === which % state.desired.nodes.length
          ? {
              ...node,
              cordoned: value % 3 === 0,
              fenced: value % 5 === 0,
              maintenance:
                value % 2 === 0
                  ? null
                  : {
                      from: instant("2026-01-01T13:00:00.000Z"),
                      until: instant("2026-01-01T15:00:00.000Z"),
                      reason: null,
                    },
            }
          : node,
      ),
    },
  }),
  "time passes": (state, _which, value) => ({
    ...state,
    observed: {
      ...state.observed,
      at: instant(new Date(Date.parse(state.observed.at) + (value % 4) * 3_600_000).toISOString()),
    },
  }),
  "the fleet has windows": (state, _which, value) => ({
    ...state,
    desired: {
      ...state.desired,
      fleet: {
        ...state.desired.fleet,
        policy: {
          ...state.desired.fleet.policy,
          disruption: { reboot: { says: value % 2 === 0 ? "window" : "allow", source: null } },
        },
      },
    },
  }),
  "the fleet has another name": (state, _which, value) => ({
    ...state,
    desired: { ...state.desired, fleet: { ...state.desired.fleet, name: value % 2 === 0 ? "test" : "other" } },
  }),
};

const anyHappenings = fc.array(
  fc.record({ what: fc.constantFrom(...Object.keys(HAPPENINGS)), which: fc.nat(20), value: fc.nat(20) }),
  { minLength: 1, maxLength: 12 },
);

/** What is wanted and there is as it is wanted: else there would be little that could stay unchanged. */
function tidied({ desired, observed }: State): State {
  const specs = new Map(desired.vms.map(({ name, spec }) => [name, spec]));
  const tidy = (vm: VmReport): VmReport => {
    const spec = specs.get(vm.name) ?? vm.spec;
    return { ...vm, spec, live: toLiveConfig(spec), phase: "running", endedBy: null };
  };
  const nodes = observed.nodes.map((node) =>
    node.reach === "silent" ? node : { ...node, report: { ...node.report, vms: node.report.vms.map(tidy) } },
  );
  return { desired, observed: { ...observed, nodes } };
}

test("remembering shows in no plan", () => {
  fc.assert(
    fc.property(anyWorld, fc.boolean(), anyHappenings, ({ fleet, world, allowances }, isTidy, happenings) => {
      let state: State = { desired: fleet.desired(), observed: world.observed() };
      if (isTidy) state = tidied(state);
      const memory = new PlanMemory();
      const check = () => {
        const input = { ...state, source: "any", commit: null, selection: null, allowances };
        expect(JSON.stringify(makePlan({ ...input, memory }))).toBe(JSON.stringify(makePlan(input)));
      };
      check();
      for (const { what, which, value } of happenings) {
        if (state.observed.nodes.length === 0) return;
        state = HAPPENINGS[what]!(state, which, value);
        check();
      }
    }),
    { numRuns: 200 },
  );
});

test("of a VM that is what it was, nothing is looked at again", () => {
  const fleet = aFleet().node("n1").vm("a").vm("b");
  const [a, b] = fleet.desired().vms;
  const { nodes } = fleet.desired();
  const [seen] = fleet.asDesired().observed().nodes;
  if (a === undefined || b === undefined || seen?.reach !== "answered") throw new Error("they are there");
  const memory = new DiffMemory();
  const look = (desired: DesiredVm, index: number, report: NodeReport): boolean => {
    let isLookedAt = false;
    const present = { vm: report.vms[index]!, node: nodes[0]!, report, maintenance: null, remains: [] };
    memory.finding(desired, present, "test", () => {
      isLookedAt = true;
      return { kind: "unchanged" };
    });
    return isLookedAt;
  };
  const { report } = seen;
  expect([look(a, 0, report), look(b, 1, report)]).toEqual([true, true]);
  memory.begin();
  expect([look(a, 0, report), look(b, 1, report)]).toEqual([false, false]);
  memory.begin();
  const later = { ...report, at: instant("2026-01-01T13:00:00.000Z"), vms: [report.vms[0]!, { ...report.vms[1]! }] };
  expect([look({ ...a }, 0, later), look(b, 1, later)]).toEqual([false, true]);
  for (const other of [{ spec: { ...a.spec } }, { placement: { ...a.placement } }, { ignore: ["/spec/cpus"] }]) {
    memory.begin();
    look(a, 0, later);
    memory.begin();
    expect([Object.keys(other), look({ ...a, ...other }, 0, later)]).toEqual([Object.keys(other), true]);
  }
  memory.begin();
  look(a, 0, later);
  memory.begin();
  expect(look(a, 0, { ...later, unfinished: [] })).toBe(true);
  memory.begin();
  memory.begin();
  expect(look(a, 0, later)).toBe(true);
});
