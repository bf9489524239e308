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
