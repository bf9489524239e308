/** VMs that go to another node off, with their disks: those that are off, and those whose guest cannot be moved as it runs. */
import { describe, expect, test } from "vitest";
import type { Plan } from "../../src/plan/plan-document.ts";
import { aFleet, aSpec, type WorldBuilder } from "../support/a-fleet.ts";
import { sentencesOf, soundPlan } from "../support/sound-plan.ts";

const COLD = "move web-1 from n1 to n2, switched off, with its disks";
const moving = (mode: "live" | "live-only" | "cold" | "never") => ({ mode, downtimeMs: 300, timeoutSeconds: 600 });
const why = (made: Plan): string => made.changes[0]?.reasons.map(({ text }) => text).join(" / ") ?? "";

describe("one that is off", () => {
  const seen = (over: Parameters<WorldBuilder["has"]>[2]) => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("web-1", { on: "n2", ...over?.spec });
    return { fleet, world: fleet.empty().has("web-1", "n1", over) };
  };

  test("goes with its disks, and disturbs nobody", () => {
    const spec = aSpec({ runStrategy: "Stopped" });
    const { fleet, world } = seen({ spec, phase: "stopped", endedBy: "operator" });
    const made = soundPlan(fleet, world.carries("n1", "n2"), { maxClass: "live" });
    expect(sentencesOf(made)).toEqual([COLD]);
    expect(made.steps[0]).toMatchObject({ kind: "migrateVm", mode: "cold", class: "live", fromNode: "n1", node: "n2" });
    expect(made.changes[0]).toMatchObject({ action: "migrate", class: "live", fromNode: "n1" });
    expect(why(made)).toBe("its placement no longer allows n1; it is stopped, and goes with its disks");
  });

  test("is started where it arrives, if it is to run", () => {
    const { fleet, world } = seen({ phase: "crashed", endedBy: "failure" });
    expect(sentencesOf(soundPlan(fleet, world.carries("n1", "n2")))).toEqual([COLD, "boot web-1 on n2"]);
  });

  test("is made anew only where nobody can send it, and where it is never to be moved", () => {
    const off = { spec: aSpec({ runStrategy: "Stopped" }), phase: "stopped" } as const;
    for (const [carries, mode] of [
      [["n1"], "live"],
      [[], "live"],
      [["n1", "n2"], "never"],
    ] as const) {
      const spec = aSpec({ runStrategy: "Stopped", migration: moving(mode) });
      const { fleet, world } = seen({ ...off, spec });
      const made = soundPlan(fleet, world.carries(...carries), { maxClass: "replace" });
      expect(sentencesOf(made).join(), `${mode} ${carries.join()}`).not.toContain("switched off");
    }
  });

  test("takes its new spec with it only there", () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("web-1", { on: "n2", runStrategy: "Stopped", cpus: { count: 2, max: 4 } });
    const spec = aSpec({ runStrategy: "Stopped" });
    const world = fleet.empty().has("web-1", "n1", { spec, phase: "stopped" }).carries("n1", "n2");
    expect(sentencesOf(soundPlan(fleet, world))).toEqual([COLD, "update web-1 on n2"]);
  });
});

describe("one whose guest cannot be moved as it runs", () => {
  const fleet = (mode: Parameters<typeof moving>[0] = "live") =>
    aFleet()
      .nodes("n1", "n2")
      .vm("web-1", { on: "n2", migration: moving(mode) });
  const world = (mode: Parameters<typeof moving>[0] = "live") =>
    fleet(mode)
      .empty()
      .has("web-1", "n1", { spec: aSpec({ migration: moving(mode) }) })
      .carries("n1", "n2");

  test("is stopped for it, and the plan says so and why", () => {
    const made = soundPlan(fleet(), world());
    expect(sentencesOf(made)).toEqual(["shut down web-1 on n1", COLD, "boot web-1 on n2"]);
    expect(made.steps.map((step) => step.class)).toEqual(["reboot", "reboot", "reboot"]);
    expect(made.changes[0]).toMatchObject({ action: "migrate", class: "reboot" });
    expect(why(made)).toBe(
      "its placement no longer allows n1; it cannot be moved as it runs (noop 1 on n1 does not send guests): it is shut down, and goes with its disks",
    );
    expect(made.changes[0]?.rejected).toEqual([
      { chain: ["migrate"], field: "placement", because: "noop 1 on n1 does not send guests" },
    ]);
    expect(made.applyable).toBe(true);
  });

  test("is left where it is when no reboot is allowed", () => {
    const made = soundPlan(fleet(), world(), { maxClass: "migrate" });
    expect(made.refusals[0]?.message).toBe("at most migrate is allowed: web-1 would need reboot");
    expect(made.applyable).toBe(false);
  });

  test("is not stopped if its manifest says live-only, or never", () => {
    for (const mode of ["live-only", "never"] as const)
      expect(sentencesOf(soundPlan(fleet(mode), world(mode)))).toEqual([
        "delete web-1 from n1, keeping its disks",
        "create web-1 on n2",
        "boot web-1 on n2",
        "refused no VM is replaced unless that is asked for: it is deleted and made anew, and its local disks stay behind: web-1 would need replace",
      ]);
  });

  test("is stopped if its manifest says cold, though it could be moved as it runs", () => {
    const made = soundPlan(fleet("cold"), world("cold").sends("n1", "n2"));
    expect(sentencesOf(made)).toEqual(["shut down web-1 on n1", COLD, "boot web-1 on n2"]);
    expect(why(made)).toContain("its migration mode is cold");
  });

  test("is moved as it runs wherever that can be", () => {
    expect(sentencesOf(soundPlan(fleet(), world().sends("n1", "n2")))).toEqual(["migrate web-1 from n1 to n2"]);
  });

  test("is stopped where only the other node is in the way", () => {
    const made = soundPlan(fleet(), world().sends("n1"));
    expect(sentencesOf(made)).toEqual(["shut down web-1 on n1", COLD, "boot web-1 on n2"]);
    expect(why(made)).toContain("n2: noop 1 there takes in no guests");
  });

  test("leaves a node in maintenance, stopped for it; live-only blocks that", () => {
    const drained = (mode: Parameters<typeof moving>[0]) =>
      aFleet()
        .node("n1", { maintenance: { from: null, until: null, reason: null } })
        .node("n2")
        .vm("web-1", { migration: moving(mode) });
    expect(sentencesOf(soundPlan(drained("live"), world()))).toEqual([
      "shut down web-1 on n1",
      COLD,
      "boot web-1 on n2",
    ]);
    expect(sentencesOf(soundPlan(drained("live-only"), world("live-only")))).toEqual([
      "blocked n1 is in maintenance, and web-1 cannot leave it: noop 1 on n1 does not send guests",
    ]);
  });

  test("members of a group are not down together", () => {
    const members = aFleet().nodes("n1", "n2").group("g", 1);
    for (const name of ["web-1", "web-2", "web-3"]) members.vm(name, { on: "n2", group: "g" });
    const there = members.empty().carries("n1", "n2");
    for (const name of ["web-1", "web-2", "web-3"]) there.has(name, "n1", { spec: aSpec({ group: "g" }) });
    const made = soundPlan(members, there);
    expect(made.steps).toHaveLength(9);
    const starts = made.steps.filter(({ kind }) => kind === "shutdownVm");
    expect(starts.filter(({ after }) => after.length === 0)).toHaveLength(1);
  });
});

describe("a circle that nothing else breaks", () => {
  const big = { memory: { sizeMiB: 12_288, maxMiB: 12_288 }, cpus: { count: 1, max: 1 } };
  const small = { memory: { sizeMiB: 9_216, maxMiB: 9_216 }, cpus: { count: 1, max: 1 } };
  const disk = (sizeMiB: number) => ({
    disks: [{ name: "data", origin: { kind: "blank", sizeMiB }, readonly: false } as const],
  });
  const fleet = () =>
    aFleet()
      .nodes("n1", "n2")
      .vm("web-1", { on: "n2", ...big, ...disk(4096) })
      .vm("web-2", { on: "n1", ...small, ...disk(64) });
  const world = () =>
    fleet()
      .empty()
      .has("web-1", "n1", { spec: aSpec({ ...big, ...disk(4096) }) })
      .has("web-2", "n2", { spec: aSpec({ ...small, ...disk(64) }) })
      .sends("n1", "n2");

  test("is broken by stopping the one that is cheapest to send", () => {
    const made = soundPlan(fleet(), world().carries("n1", "n2"));
    expect(sentencesOf(made)).toEqual([
      "shut down web-2 on n2",
      "migrate web-1 from n1 to n2",
      "move web-2 from n2 to n1, switched off, with its disks",
      "boot web-2 on n1",
    ]);
    expect(made.changes.map(({ name, class: each }) => [name, each])).toEqual([
      ["web-1", "migrate"],
      ["web-2", "reboot"],
    ]);
    expect(made.changes[1]?.reasons.at(-1)?.text).toContain("it would wait for room that others only give");
  });

  test("is explained where nobody may be stopped", () => {
    for (const [carries, options] of [
      [["n1", "n2"], { maxClass: "migrate" }],
      [[], {}],
    ] as const) {
      const made = soundPlan(fleet(), world().carries(...carries), options);
      expect(made.steps).toEqual([]);
      expect(made.blocked.map(({ code }) => code)).toContain("UNPLACEABLE");
    }
  });
});
