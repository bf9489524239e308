/** What waits for a window, what is done while one is open, and what a policy refuses. The world of these tests is seen on a Thursday at noon. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DisruptionRule, DisruptiveClass } from "../../src/model/desired-state.ts";
import { instant } from "../../src/model/names.ts";
import { WEEKDAYS, type Window } from "../../src/model/windows/window.ts";
import { checkPlan } from "../../src/plan/check-plan.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { describeStep } from "../../src/schedule/step.ts";
import { aFleet, aSpec, type FleetBuilder, type PlanOptions, planOf, type WorldBuilder } from "../support/a-fleet.ts";
import { anyWorld, planFor } from "../support/any-world.ts";
import { ENOUGH_DRAWS } from "../support/enough-draws.ts";
import { soundPlan } from "../support/sound-plan.ts";

const from = (days: Window["days"], opens: string, until: string): Window => ({
  ...{ days, from: opens, until, timezone: "UTC" },
  source: { file: "windows.yaml", line: 3, column: 5 },
});
const SUNDAY = from(["sun"], "02:00", "04:00");
const NOW = from(WEEKDAYS, "11:00", "13:00");
const rule = (says: DisruptionRule["says"]): DisruptionRule => ({
  says,
  source: { file: "fleet.yaml", line: 9, column: 5 },
});
const disruption = (rules: Partial<Record<DisruptiveClass, DisruptionRule["says"]>>) => ({
  disruption: Object.fromEntries(Object.entries(rules).map(([each, says]) => [each, rule(says)])),
});

function plan(fleet: FleetBuilder, world: WorldBuilder, options: PlanOptions = {}): Plan {
  const made = soundPlan(fleet, world, options);
  expect(planOf(fleet, world, options)).toEqual(made);
  return made;
}

function told(made: Plan): string[] {
  return [
    ...made.steps.map(
      (step) => `${describeStep(step)}${step.until === undefined ? "" : ` until ${step.until.slice(5, 16)}`}`,
    ),
    ...(made.waiting ?? []).map(
      ({ change, window: { opens, text } }) =>
        `${change.name} waits with ${change.class} for ${opens?.slice(5, 16) ?? "ever"}: ${text}`,
    ),
    ...made.blocked.map((each) => `blocked ${each.message}`),
    ...made.refusals.map((each) => `refused ${each.message} (${each.source?.file}:${each.source?.line})`),
  ];
}

/** `a` runs on `n1` and needs a reboot for its kernel's command line. */
function rebooting(over: Parameters<FleetBuilder["vm"]>[1] = {}, fleet = aFleet().node("n1")) {
  const boot = { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "new" } as const;
  fleet.vm("a", { on: "n1", boot, ...over });
  const { windows: _, ...spec } = over;
  return { fleet, world: fleet.empty().has("a", "n1", { spec: aSpec(spec) }) };
}

describe("whose windows", () => {
  test("a reboot waits for the VM's own window, and is done in it until it closes", () => {
    const { fleet, world } = rebooting({ windows: [SUNDAY] });
    const made = plan(fleet, world);
    expect(told(made)).toEqual(["a waits with reboot for 01-04T02:00: Sun 02:00-04:00 UTC, its own"]);
    expect(made).toMatchObject({ applyable: false, complete: false, summary: { unchanged: 0, reboot: 0 } });
    expect(told(plan(fleet, world, { at: instant("2026-01-04T02:30:00.000Z") }))).toEqual([
      "update a on n1 until 01-04T04:00",
      "reboot a on n1 until 01-04T04:00",
    ]);
  });

  test("the nearest that is written: the VM's, its group's, its node's, the fleet's", () => {
    const others = () =>
      aFleet()
        .node("n1", { windows: [SUNDAY] })
        .group("web", 1, [NOW])
        .policy({ windows: [SUNDAY] });
    const own = rebooting({ windows: [SUNDAY], group: "web" }, others());
    expect(told(plan(own.fleet, own.world))[0]).toMatch("its own");
    const grouped = rebooting({ group: "web" }, others());
    expect(told(plan(grouped.fleet, grouped.world))).toEqual([
      "update a on n1 until 01-01T13:00",
      "reboot a on n1 until 01-01T13:00",
    ]);
    const alone = rebooting({}, others());
    expect(told(plan(alone.fleet, alone.world))[0]).toMatch("of node n1");
    const bare = rebooting(
      {},
      aFleet()
        .node("n1")
        .policy({ windows: [SUNDAY] }),
    );
    expect(told(plan(bare.fleet, bare.world))[0]).toMatch("of the fleet");
  });

  test("without windows, and without a policy, nothing waits", () => {
    const { fleet, world } = rebooting();
    expect(told(plan(fleet, world))).toEqual(["update a on n1", "reboot a on n1"]);
  });

  test("what does not disturb the guest does not wait", () => {
    const fleet = aFleet()
      .node("n1")
      .vm("a", { on: "n1", windows: [SUNDAY], cpus: { count: 2, max: 4 } });
    const world = fleet.empty().has("a", "n1", { spec: aSpec({ cpus: { count: 1, max: 4 } }) });
    expect(told(plan(fleet, world))).toEqual(["update a on n1"]);
    const fresh = aFleet()
      .node("n1")
      .vm("a", { windows: [SUNDAY] })
      .policy(disruption({ live: "window" }));
    expect(told(plan(fresh, fresh.empty()))).toEqual(["create a on n1", "boot a on n1"]);
  });

  test("outside of windows, if that is asked for, and the plan says so", () => {
    const { fleet, world } = rebooting({ windows: [SUNDAY] });
    const made = plan(fleet, world, { outsideWindows: true });
    expect(told(made)).toEqual(["update a on n1", "reboot a on n1"]);
    expect(made.base.outsideWindows).toBe(true);
  });
});

describe("the fleet's policy", () => {
  test("window: a class waits, and says so where no window is written", () => {
    const fleet = () =>
      aFleet()
        .nodes("n1", "n2")
        .policy(disruption({ migrate: "window" }));
    const moving = (over: Parameters<FleetBuilder["vm"]>[1]) => {
      const with_ = fleet().vm("a", { on: "n2", ...over });
      return told(plan(with_, with_.empty().has("a", "n1").sends("n1", "n2")));
    };
    expect(moving({})).toEqual(["a waits with migrate for ever: no window is written for it"]);
    expect(moving({ windows: [SUNDAY] })[0]).toMatch("a waits with migrate for 01-04T02:00");
    expect(moving({ windows: [NOW] })).toEqual(["migrate a from n1 to n2 until 01-01T13:00"]);
  });

  test("allow: what would wait for the VM's window does not", () => {
    const { fleet, world } = rebooting(
      { windows: [SUNDAY] },
      aFleet()
        .node("n1")
        .policy(disruption({ reboot: "allow" })),
    );
    expect(told(plan(fleet, world))).toEqual(["update a on n1", "reboot a on n1"]);
  });

  test("refuse: the plan is refused, with who would have been, and where it is written; no flag allows it", () => {
    const { fleet, world } = rebooting(
      {},
      aFleet()
        .node("n1")
        .policy(disruption({ reboot: "refuse" })),
    );
    const made = plan(fleet, world, { maxClass: "destroy" });
    expect(told(made).at(-1)).toBe("refused the fleet's policy refuses reboot: a would need it (fleet.yaml:9)");
    expect(made.applyable).toBe(false);
  });

  test("what goes waits for the windows of its group, of its node or of the fleet", () => {
    const fleet = aFleet()
      .node("n1")
      .group("web", 1, [SUNDAY])
      .policy(disruption({ destroy: "window" }));
    const world = fleet.empty().has("a", "n1", { spec: aSpec({ group: "web" }) });
    expect(told(plan(fleet, world))).toEqual([
      "a waits with destroy for 01-04T02:00: Sun 02:00-04:00 UTC, of group web",
    ]);
  });

  test("replace: allow lets VMs be made anew without a flag, refuse does not even with one", () => {
    const leaving = (says: DisruptionRule["says"] | null, options: PlanOptions = {}) => {
      const fleet = aFleet().nodes("n1", "n2").vm("a", { on: "n2" });
      if (says !== null) fleet.policy(disruption({ replace: says }));
      return plan(fleet, fleet.empty().has("a", "n1"), options).refusals.length;
    };
    expect([leaving(null), leaving("allow"), leaving("refuse", { maxClass: "replace" })]).toEqual([1, 0, 1]);
    expect(leaving(null, { maxClass: "replace" })).toBe(0);
  });

  test("of a replacement only the deletion is bound to the window: nobody is left deleted", () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("a", { on: "n2", windows: [NOW] });
    expect(told(plan(fleet, fleet.empty().has("a", "n1"), { maxClass: "replace" }))).toEqual([
      "delete a from n1, keeping its disks until 01-01T13:00",
      "create a on n2",
      "boot a on n2",
    ]);
  });
});

describe("who waits", () => {
  test("keeps its room, and the others are planned around it", () => {
    const fleet = aFleet()
      .node("n1", { memoryMiB: 1024 })
      .node("n2", { memoryMiB: 1024 })
      .policy(disruption({ migrate: "window" }))
      .vm("a", { on: "n2", windows: [SUNDAY] })
      .vm("b", { on: "n1" });
    const made = plan(fleet, fleet.empty().has("a", "n1").sends("n1", "n2"));
    expect(made.steps).toEqual([]);
    expect(told(made)).toEqual([
      "a waits with migrate for 01-04T02:00: Sun 02:00-04:00 UTC, its own",
      expect.stringContaining("blocked b (1 cpu, 1 GiB) fits nowhere"),
    ]);
  });

  test("is not moved aside for others either", () => {
    // a and b swap full nodes; c on the third could make way, if it may be moved now.
    const swap = (windows: Window[]) => {
      const fleet = aFleet();
      for (const node of ["n1", "n2", "n3"]) fleet.node(node, { memoryMiB: 1536 });
      const half = { memory: { sizeMiB: 512, maxMiB: 512 } };
      fleet.policy(disruption({ migrate: "window" }));
      fleet.vm("a", { on: "n2", windows: [NOW] }).vm("b", { on: "n1", windows: [NOW] });
      fleet.vm("c", { nodes: ["n3", "n1"], windows, ...half });
      fleet.vm("d", { on: "n3", windows: [SUNDAY], ...half });
      const world = fleet.empty().has("a", "n1").has("b", "n2").sends("n1", "n2", "n3");
      for (const vm of ["c", "d"]) world.has(vm, "n3", { spec: aSpec(half) });
      return plan(fleet, world);
    };
    expect(swap([NOW]).steps.filter(({ vm }) => vm === "c")).not.toEqual([]);
    const held = swap([SUNDAY]);
    expect(held.steps.filter(({ vm }) => vm === "c")).toEqual([]);
    expect(held.blocked.map(({ name }) => name)).not.toEqual([]);
  });

  test("one whose onDrain moves it out of a maintenance waits, too, where moves are left to windows", () => {
    const maintenance = { from: null, until: null, reason: null };
    const fleet = aFleet()
      .node("n1", { maintenance, windows: [SUNDAY] })
      .node("n2")
      .vm("a");
    const world = fleet.empty().has("a", "n1").sends("n1", "n2");
    expect(told(plan(fleet, world))).toEqual(["migrate a from n1 to n2"]);
    fleet.policy(disruption({ migrate: "window" }));
    expect(told(plan(fleet, world))).toEqual(["a waits with migrate for 01-04T02:00: Sun 02:00-04:00 UTC, of node n1"]);
  });
});

test("a planner that forgets windows is found out", () => {
  const { fleet, world } = rebooting({ windows: [SUNDAY] });
  const { base, ...made } = planOf(fleet, world, { outsideWindows: true });
  const { outsideWindows: _, ...forgetful } = base;
  const found = checkPlan({ ...made, base: forgetful }, fleet.desired(), world.observed());
  expect(found.map(({ message }) => message)).toContain("a would not wait for its window");
});

test("of random worlds with random policies: every promise holds, every VM is accounted for, and outside of windows all is as without", () => {
  const says = fc.option(fc.constantFrom("allow", "window", "refuse"), { freq: 2 });
  const rules = fc.record({ live: says, pause: says, migrate: says, reboot: says, replace: says, destroy: says });
  const windows = fc.option(fc.constantFrom([SUNDAY], [NOW], [SUNDAY, NOW]));
  let [waited, bound] = [0, 0];
  fc.assert(
    fc.property(anyWorld, rules, windows, ({ fleet, world, allowances }, said, open) => {
      const given = Object.entries(said).flatMap(([each, word]) => (word === null ? [] : [[each, rule(word)]]));
      fleet.policy({ disruption: Object.fromEntries(given), ...(open === null ? {} : { windows: open }) });
      const [desired, observed] = [fleet.desired(), world.observed()];
      const made = planFor(desired, observed, allowances);
      expect(checkPlan(made, desired, observed)).toEqual([]);
      const waiting = (made.waiting ?? []).map(({ change }) => change);
      const named = new Set<string>(
        [...made.changes, ...waiting, ...made.unknown, ...made.blocked].map(({ name }) => name),
      );
      expect(desired.vms.filter(({ name }) => !named.has(name)).length).toBe(made.summary.unchanged);
      waited += waiting.length;
      bound += made.steps.filter(({ until }) => until !== undefined).length;
      const anyway = planFor(desired, observed, { ...allowances, outsideWindows: true });
      expect([anyway.waiting, anyway.steps.filter(({ until }) => until !== undefined)]).toEqual([undefined, []]);
    }),
    { seed: 37, numRuns: 700 },
  );
  if (ENOUGH_DRAWS) expect(Math.min(waited, bound)).toBeGreaterThan(20);
});
