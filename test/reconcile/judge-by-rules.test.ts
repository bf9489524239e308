/** What a guest says of itself decides; the capabilities of its hypervisor are asked where it says nothing. */
import { describe, expect, test } from "vitest";
import type { ChangeRule } from "../../src/model/observed-state.ts";
import { classify } from "../../src/reconcile/classify.ts";
import { judgeByRules } from "../../src/reconcile/judge-by-rules.ts";
import { ABLE, aFleet, aSpec, planOf } from "../support/a-fleet.ts";

const rule = (over: Partial<ChangeRule> & Pick<ChangeRule, "path">): ChangeRule => ({
  change: "any",
  class: "live",
  note: null,
  ...over,
});

const change = (path: string, from: unknown, to: unknown) => ({ path, pointer: `/spec/${path}`, from, to });

/** The class, or what a list without any fitting rule gives. */
const classOf = (rules: readonly ChangeRule[], path: string, from: unknown, to: unknown) =>
  judgeByRules(change(path, from, to), rules)?.class ?? "no rule";

describe("the first rule that fits counts", () => {
  const rules = [
    rule({ path: "memory.size", change: "raise", max: 4096, multipleOf: 128 }),
    rule({ path: "memory.size", change: "lower", min: 1024 }),
    rule({ path: "memory.size", class: "reboot" }),
    rule({ path: "disks.root", change: "remove", class: "reboot", note: "the guest boots from it" }),
    rule({ path: "disks.*", change: "add" }),
    rule({ path: "disks.*", change: "remove" }),
  ];

  test.each([
    ["up to the largest value", 2048, 4096, "live"],
    ["beyond it", 2048, 4224, "reboot"],
    ["not in its steps", 2048, 2100, "reboot"],
    ["down to the smallest", 2048, 1024, "live"],
    ["below it", 2048, 1023, "reboot"],
  ])("%s: %i → %i is %s", (_, from, to, expected) => {
    expect(classOf(rules, "memory.size", from, to)).toBe(expected);
  });

  test("a rule for one item stands before the rule for any", () => {
    expect(classOf(rules, "disks.root", { name: "root" }, null)).toBe("reboot");
    expect(classOf(rules, "disks.data", { name: "data" }, null)).toBe("live");
    expect(classOf(rules, "disks.rootless", { name: "rootless" }, null)).toBe("live");
  });

  test("what no rule speaks of is left to the capabilities", () => {
    expect(classOf(rules, "nics.eth0", null, { name: "eth0" })).toBe("no rule");
    expect(classOf(rules, "disks", ["a", "b"], ["b", "a"])).toBe("no rule");
    expect(classOf([], "cpus.count", 1, 2)).toBe("no rule");
  });
});

describe("settings that odorobo does not model are looked at item by item", () => {
  const rules = [
    rule({ path: "passthrough.fs.sticky", change: "remove", class: "reboot" }),
    rule({ path: "passthrough.fs", change: "add" }),
    rule({ path: "passthrough.fs", change: "remove" }),
    rule({ path: "passthrough.fs", class: "reboot", note: "what is in use cannot be exchanged" }),
    rule({ path: "passthrough.balloon.size", change: "raise", max: 100 }),
    rule({ path: "passthrough.balloon", class: "reboot" }),
    rule({ path: "passthrough.vsock", change: "add" }),
    rule({ path: "passthrough.vsock", class: "reboot" }),
    rule({ path: "passthrough.memory.zones.z0.hotplugged_size" }),
    rule({ path: "passthrough.memory", class: "reboot" }),
  ];
  const fs = (...tags: readonly string[]) => tags.map((tag) => ({ tag, socket: `/run/${tag}` }));
  const zones = (size: number, plugged: number) => ({ zones: [{ id: "z0", size, hotplugged_size: plugged }] });

  test.each<[string, string, unknown, unknown, string]>([
    ["the first of a list", "fs", null, fs("a"), "live"],
    ["one more and one less", "fs", fs("a"), fs("b"), "live"],
    ["the last of a list", "fs", fs("a"), null, "live"],
    ["one that may not go among others", "fs", fs("a", "sticky"), fs("b"), "reboot"],
    ["another socket of one that stays", "fs", fs("a"), [{ tag: "a", socket: "/run/other" }], "reboot"],
    ["something new inside of one that stays", "fs", fs("a"), [{ ...fs("a")[0], num_queues: 2 }], "reboot"],
    ["the order only", "fs", fs("a", "b"), fs("b", "a"), "reboot"],
    ["a number within its limit", "balloon", { size: 1 }, { size: 100 }, "live"],
    ["a number beyond it", "balloon", { size: 1 }, { size: 101 }, "reboot"],
    ["a number and something beside it", "balloon", { size: 1 }, { size: 2, deflate_on_oom: true }, "reboot"],
    ["a group that was not there", "balloon", null, { size: 1 }, "reboot"],
    ["a single device that was not there", "vsock", null, { cid: 3 }, "live"],
    ["a single device that is", "vsock", { cid: 3 }, { cid: 4 }, "reboot"],
    ["what stands deep below", "memory", zones(10, 0), zones(10, 2), "live"],
    ["what stands beside it", "memory", zones(10, 0), zones(11, 2), "reboot"],
    ["a key that no rule speaks of", "watchdog", false, true, "no rule"],
  ])("%s", (_, key, from, to, expected) => {
    expect(classOf(rules, `passthrough.${key}`, from, to)).toBe(expected);
  });
});

describe("parts of a setting", () => {
  const fs = (...tags: readonly string[]) => tags.map((tag) => ({ tag, socket: `/run/${tag}` }));

  /** What is asked about: `live` only where a rule of exactly these changes is there for each. */
  const covered = (from: unknown, to: unknown, ...changes: readonly [string, ChangeRule["change"]][]) =>
    classOf(
      changes.map(([path, kind]) => rule({ path: `passthrough.${path}`, change: kind })),
      "passthrough.fs",
      from,
      to,
    );

  test("an empty list comes and goes as what it is, not as a list of nothing", () => {
    expect(covered(null, [], ["fs", "change"])).toBe("live");
    expect(covered([], null, ["fs", "change"])).toBe("live");
  });

  test("a list that comes or goes does so item by item", () => {
    expect(covered(null, fs("a"), ["fs.a", "add"])).toBe("live");
    expect(covered(null, fs("a"), ["fs.b", "add"])).toBe("no rule");
    expect(covered(fs("a"), null, ["fs.a", "remove"])).toBe("live");
    expect(covered(fs("a"), null, ["fs.a", "add"])).toBe("no rule");
  });

  test("a list whose items nothing tells apart is one thing", () => {
    expect(covered(null, [1, 2], ["fs", "add"])).toBe("live");
    expect(covered([1, 2], null, ["fs", "remove"])).toBe("live");
    expect(covered([1, 2], [2, 1], ["fs", "change"])).toBe("live");
    expect(covered(fs("a", "a"), fs("a"), ["fs", "change"])).toBe("live");
    expect(covered(fs("a"), fs("a", "a"), ["fs", "change"])).toBe("live");
    expect(covered({ a: 1 }, [1], ["fs", "change"])).toBe("live");
    expect(covered([1], { a: 1 }, ["fs", "change"])).toBe("live");
  });

  test("the same items in another order change the list and none of them", () => {
    expect(covered(fs("a", "b"), fs("b", "a"), ["fs", "change"])).toBe("live");
    expect(covered(fs("a", "b"), fs("b", "a"), ["fs.a", "any"], ["fs.b", "any"])).toBe("no rule");
  });

  test("within a thing that stays, items that stay are told apart by what they are known by, in whatever order", () => {
    const queues = (...sizes: readonly (readonly [string, number])[]) => [
      { tag: "a", queues: sizes.map(([id, size]) => ({ id, size })) },
    ];
    expect(covered(queues(["x", 1], ["y", 1]), queues(["y", 2], ["x", 1]), ["fs.a.queues.y.size", "raise"])).toBe(
      "live",
    );
    expect(covered(queues(["x", 1], ["y", 1]), queues(["y", 2], ["x", 1]), ["fs.a.queues.x.size", "raise"])).toBe(
      "no rule",
    );
    // Another one there is another list.
    expect(covered(queues(["x", 1]), queues(["z", 1]), ["fs.a.queues", "change"])).toBe("live");
    expect(covered(queues(["x", 1]), queues(["x", 1], ["z", 1]), ["fs.a.queues", "change"])).toBe("live");
  });

  test("a key that comes or goes within a thing that stays changes it", () => {
    const plain = [{ tag: "a" }];
    const sized = [{ tag: "a", size: 1 }];
    expect(covered(plain, sized, ["fs.a.size", "change"])).toBe("live");
    expect(covered(sized, plain, ["fs.a.size", "change"])).toBe("live");
    expect(covered(sized, [{ tag: "a", size: "1" }], ["fs.a.size", "change"])).toBe("live");
    expect(covered(sized, [{ tag: "a", size: 2 }], ["fs.a.size", "raise"])).toBe("live");
    expect(covered(sized, [{ tag: "a", size: 0 }], ["fs.a.size", "lower"])).toBe("live");
  });

  test("what comes is asked about with all that it says of itself; a switch that is off says nothing", () => {
    const device = [{ tag: "a", off: false, none: null, on: true }];
    const whole = (path: string) => [`fs.a${path}`, "add"] as const;
    const rules = (...paths: readonly string[]) =>
      judgeByRules(
        change("passthrough.fs", null, device),
        paths.map((path) => rule({ path: `passthrough.fs.a${path}`, change: "add", class: "reboot" })),
      );
    expect(covered(null, device, [...whole("")])).toBe("live");
    expect(rules(".tag", ".on")).toBeNull();
    const first = [
      rule({ path: "passthrough.fs.a.off", class: "reboot" }),
      rule({ path: "passthrough.fs.a.none", class: "reboot" }),
    ];
    expect(classOf([...first, rule({ path: "passthrough.fs.a" })], "passthrough.fs", null, device)).toBe("live");
    const on = rule({ path: "passthrough.fs.a.on", class: "reboot" });
    expect(classOf([on, rule({ path: "passthrough.fs.a" })], "passthrough.fs", null, device)).toBe("reboot");
  });
});

describe("which rule fits", () => {
  const size = (over: Partial<ChangeRule>, from: unknown, to: unknown) =>
    classOf([rule({ path: "memory.size", ...over })], "memory.size", from, to);

  test.each<[string, Partial<ChangeRule>, unknown, unknown, string]>([
    ["raised", { change: "raise" }, 1, 2, "live"],
    ["not lowered", { change: "raise" }, 2, 1, "no rule"],
    ["lowered", { change: "lower" }, 2, 1, "live"],
    ["not raised", { change: "lower" }, 1, 2, "no rule"],
    ["at the lower bound", { min: 2 }, 3, 2, "live"],
    ["under it", { min: 2 }, 3, 1, "no rule"],
    ["at the upper bound", { max: 3 }, 1, 3, "live"],
    ["over it", { max: 3 }, 1, 4, "no rule"],
    ["by whole steps", { multipleOf: 4 }, 1, 9, "live"],
    ["by parts of one", { multipleOf: 4 }, 1, 8, "no rule"],
    ["no number where one is bounded below", { min: 0 }, "a", "b", "no rule"],
    ["no number where one is bounded above", { max: 9 }, "a", "b", "no rule"],
    ["no number where it goes by steps", { multipleOf: 1 }, "a", "b", "no rule"],
    ["one side is no number", { min: 0 }, 1, "b", "no rule"],
    ["what was not there has no number", { min: 0 }, null, 1, "no rule"],
  ])("%s", (_, over, from, to, expected) => {
    expect(size(over, from, to)).toBe(expected);
  });

  test.each([
    ["a.b", "a.b", true],
    ["a.b", "a.b.c", true],
    ["a.b", "a.bc", false],
    ["a.b", "a", false],
    ["items.*", "items.x", true],
    ["items.*", "items.x.y", true],
    ["items.*", "items.", false],
    ["items.*", "nics.eth0", false],
    ["fs.*.size", "fs.a.size", true],
    ["fs.*.size", "fs.a.b.size", true],
    ["fs.*.size", "fs.a.sizes", false],
    // An item must have a name.
    ["fs.*.size", "fs..size", false],
    ["fs.*.size", "xx.a.size", false],
  ])("%s on %s: %s", (pattern, path, expected) => {
    expect(classOf([rule({ path: pattern })], path, "x", "y")).toBe(expected ? "live" : "no rule");
  });

  test("the worst of all parts counts, with its note, and the first of equals", () => {
    const rules = [
      rule({ path: "passthrough.fs.a", class: "live", note: "one" }),
      rule({ path: "passthrough.fs.b", class: "reboot", note: "two" }),
      rule({ path: "passthrough.fs.c", class: "reboot", note: "three" }),
    ];
    const items = (...tags: readonly string[]) => tags.map((tag) => ({ tag }));
    const judge = (...tags: readonly string[]) => judgeByRules(change("passthrough.fs", items(...tags), null), rules);
    expect(judge("a")).toEqual({ kind: "class", class: "live", note: "one" });
    expect(judge("a", "b", "c")).toEqual({ kind: "class", class: "reboot", note: "two" });
    expect(judge("c", "a")).toEqual({ kind: "class", class: "reboot", note: "three" });
    expect(judge("a", "d")).toBeNull();
  });
});

describe("in a plan", () => {
  const running = aSpec({ cpus: { count: 1, max: 4 }, passthrough: { fs: [{ tag: "a", socket: "/run/a" }] } });

  test("a guest that says less than its hypervisor can is believed, and says why", () => {
    const verdict = classify(
      change("cpus.count", 1, 2),
      {
        live: { ...running },
        capabilities: ABLE,
        owed: [],
        rules: [rule({ path: "cpus.count", class: "reboot", note: "Cloud Hypervisor plugs no CPUs on arm64" })],
      },
      undefined,
    );
    expect(verdict).toEqual({ kind: "class", class: "reboot", note: "Cloud Hypervisor plugs no CPUs on arm64" });
  });

  test("no rule makes a disk shrink", () => {
    const disk = (sizeMiB: number) => ({ name: "a", origin: { kind: "blank", sizeMiB }, readonly: false });
    const verdict = classify(
      change("disks.a", disk(2), disk(1)),
      {
        live: { ...running },
        capabilities: ABLE,
        owed: [],
        rules: [rule({ path: "disks.*" })],
      },
      undefined,
    );
    expect(verdict).toMatchObject({ kind: "blocked", code: "SHRINK" });
  });

  test("each key of the hypervisor's own section is a reason of its own, with its own line", () => {
    const fleet = aFleet()
      .node("n1")
      .vm("web-1", { on: "n1", passthrough: { watchdog: true, fs: [] } });
    const plan = planOf(fleet, fleet.empty().has("web-1", "n1", { spec: running }));
    expect(plan.changes[0]?.reasons.map(({ field }) => field)).toContain("passthrough.watchdog");
    expect(plan.changes[0]?.reasons.map(({ field }) => field)).toContain("passthrough.fs");
  });
});
