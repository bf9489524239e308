/** Random fleets and random observations of them, small enough to collide often: for the properties of plans. */
import fc from "fast-check";
import type { DesiredState } from "../../src/model/desired-state.ts";
import type { ObservedState, Phase, VmReport } from "../../src/model/observed-state.ts";
import type { VmSpec } from "../../src/model/vm-spec.ts";
import type { Allowances } from "../../src/plan/guards.ts";
import { makePlan } from "../../src/plan/make-plan.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { aFleet, aSpec, type FleetBuilder, type VmInput, type WorldBuilder } from "./a-fleet.ts";

export interface AnyWorld {
  readonly fleet: FleetBuilder;
  readonly world: WorldBuilder;
  readonly allowances: Allowances;
}

const NODES = ["n1", "n2", "n3", "n4"];
const VMS = ["a", "b", "c", "d", "e", "f", "g", "h"];

const anyNode = fc.record({
  cpus: fc.integer({ min: 1, max: 6 }),
  memoryMiB: fc.integer({ min: 1, max: 6 }).map((gib) => gib * 1024),
  cordoned: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  fenced: fc.boolean(),
  maintenance: fc.constantFrom(null, null, null, null, { from: null, until: null, reason: "new disks" }),
  rack: fc.constantFrom("r1", "r2"),
});

/** Mostly answering: a silent node leaves little to plan. */
const anySilence = fc.array(
  fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
  { minLength: 4, maxLength: 4 },
);

const anySpec: fc.Arbitrary<VmSpec> = fc
  .record({
    strategy: fc.constantFrom("Always", "Always", "Always", "RerunOnFailure", "Manual", "Stopped"),
    cpus: fc.integer({ min: 1, max: 3 }),
    cpuRoom: fc.integer({ min: 0, max: 2 }),
    memory: fc.integer({ min: 1, max: 3 }),
    memoryRoom: fc.integer({ min: 0, max: 1 }),
    group: fc.constantFrom(null, null, "g1", "g2"),
    protect: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
    app: fc.constantFrom("x", "y", "z"),
    disk: fc.constantFrom(null, 64, 128),
    kernel: fc.constantFrom("builtin:tiny", "/boot/other"),
    nic: fc.boolean(),
    onDrain: fc.constantFrom("migrate", "migrate", "stop", "pause", "block"),
    mode: fc.constantFrom("live", "live", "live-only", "cold", "never"),
  })
  .map((each) =>
    aSpec({
      runStrategy: each.strategy as VmSpec["runStrategy"],
      cpus: { count: each.cpus, max: each.cpus + each.cpuRoom },
      memory: { sizeMiB: each.memory * 1024, maxMiB: (each.memory + each.memoryRoom) * 1024 },
      group: each.group,
      onDrain: each.onDrain as VmSpec["onDrain"],
      migration: { mode: each.mode as VmSpec["migration"]["mode"], downtimeMs: 300, timeoutSeconds: 600 },
      protect: each.protect,
      labels: { app: each.app },
      boot: { kind: "kernel", kernel: each.kernel, initramfs: null, cmdline: "" },
      disks:
        each.disk === null ? [] : [{ name: "data", origin: { kind: "blank", sizeMiB: each.disk }, readonly: false }],
      nics: each.nic
        ? [{ name: "eth0", network: "default", attachment: { kind: "user" }, mac: "02:00:00:00:00:01", address: null }]
        : [],
    }),
  );

const anyHomes: fc.Arbitrary<number[]> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<number[]>([]) },
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 3 }).map((n) => [n]) },
  { weight: 1, arbitrary: fc.constant<number[]>([0, 1]) },
);

const anyVm = fc.record({
  desired: fc.option(anySpec, { freq: 4 }),
  placement: fc.constantFrom<"any" | "one" | "two" | "rack">("any", "any", "one", "two", "rack"),
  pick: fc.integer({ min: 0, max: 3 }),
  apart: fc.boolean(),
  /** What else its placement says. */
  rule: fc.constantFrom(null, null, null, "spread", "together", "wish", "liking"),
  /** Which of the nodes have it; usually none or one. */
  homes: anyHomes,
  /** Null: applied as now desired. */
  applied: fc.option(anySpec, { freq: 3, nil: null }),
  liveCpus: fc.option(fc.integer({ min: 1, max: 3 }), { freq: 1, nil: null }),
  phase: fc.constantFrom("running", "running", "running", "paused", "stopped", "crashed", "starting"),
  endedBy: fc.constantFrom("guest", "operator", "failure"),
  owner: fc.constantFrom("test", "test", "test", "test", "test", "other", null),
  lastHome: fc.constantFrom(null, null, null, "n1", "gone"),
  tombstone: fc.option(fc.integer({ min: 0, max: 3 }), { freq: 1, nil: null }),
});

export const anyWorld: fc.Arbitrary<AnyWorld> = fc
  .record({
    nodes: fc.array(anyNode, { minLength: 1, maxLength: 4 }),
    silence: anySilence,
    able: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    sends: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    carries: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    vms: fc.array(anyVm, { maxLength: VMS.length }),
    maxUnavailable: fc.integer({ min: 1, max: 2 }),
    maxClass: fc.constantFrom("destroy", "destroy", "reboot", null),
    allowDestroy: fc.constantFrom(100, null),
  })
  .map((drawn) => {
    const fleet = aFleet().group("g1", drawn.maxUnavailable).group("g2", 1);
    const names = NODES.slice(0, drawn.nodes.length);
    for (const [index, { rack, ...node }] of drawn.nodes.entries())
      fleet.node(NODES[index]!, { ...node, labels: { rack } });
    const nodeAt = (index: number) => names[index % names.length]!;
    for (const [index, vm] of drawn.vms.entries()) {
      if (vm.desired === null) continue;
      const nodes =
        vm.placement === "one"
          ? [nodeAt(vm.pick)]
          : vm.placement === "two"
            ? [nodeAt(vm.pick), nodeAt(vm.pick + 1)]
            : [];
      const antiAffinity = vm.apart
        ? [
            {
              match: { app: vm.desired.labels.app ?? "" },
              per: vm.pick % 2 === 0 ? "node" : "rack",
              required: vm.pick < 2,
            },
          ]
        : [];
      fleet.vm(VMS[index]!, {
        ...vm.desired,
        ...ruleOf(vm.rule, vm.desired.labels.app ?? "", vm.pick),
        nodes,
        selector: vm.placement === "rack" ? { rack: "r1" } : {},
        antiAffinity,
      });
    }
    const world = fleet.empty();
    for (const [index, vm] of drawn.vms.entries()) {
      const spec = vm.applied ?? vm.desired ?? aSpec();
      const live =
        vm.liveCpus === null
          ? {}
          : { live: { cpus: { count: Math.min(vm.liveCpus, spec.cpus.max), max: spec.cpus.max } } };
      const phase = vm.phase as Phase;
      const homes = [...new Set(vm.homes.map(nodeAt))];
      const ended = phase === "stopped" ? { endedBy: vm.endedBy as VmReport["endedBy"] } : {};
      for (const home of homes)
        world.has(VMS[index]!, home, {
          spec,
          phase,
          fleet: vm.owner,
          generation: index + 1,
          serial: 3,
          ...live,
          ...ended,
        });
      if (vm.tombstone !== null && homes.length === 0)
        world.keeps(VMS[index]!, nodeAt(vm.tombstone), spec.disks.length > 0 ? ["data"] : [], 4);
    }
    const told = drawn.vms.flatMap((vm, index) => (vm.lastHome === null ? [] : [[VMS[index]!, vm.lastHome] as const]));
    if (told.length > 0) world.told(Object.fromEntries(told));
    for (const [index, name] of names.entries()) {
      if (drawn.silence[index]) world.silent(name);
      if (drawn.sends[index]) world.sends(name);
      if (drawn.carries[index]) world.carries(name);
      if (!drawn.able[index])
        world.able(name, { cpusUp: false, cpusDown: false, memoryUp: false, memoryDown: false, diskAttach: false });
    }
    return { fleet, world, allowances: { maxClass: drawn.maxClass, allowDestroy: drawn.allowDestroy } };
  });

function ruleOf(rule: string | null, app: string, pick: number): Partial<VmInput> {
  const per = pick % 2 === 0 ? "node" : "rack";
  const notIn = [{ key: "app", operator: "NotIn", values: ["z"] }] as const;
  switch (rule) {
    case "spread":
      return { spread: [{ match: { app }, per, maxSkew: 1 + (pick >> 1), required: true }] };
    case "together":
      return { affinity: [{ match: { app: "x" }, per: "rack", required: true }] };
    case "wish":
      return { spread: [{ match: {}, expressions: notIn, per, maxSkew: 1, required: false, weight: 2 }] };
    case "liking":
      return { nodeAffinity: [{ match: { rack: "r2" }, required: pick === 0, weight: 3 }] };
    default:
      return {};
  }
}

export function planFor(desired: DesiredState, observed: ObservedState, allowances: Allowances): Plan {
  return makePlan({ desired, observed, source: "any", commit: null, selection: null, allowances });
}
