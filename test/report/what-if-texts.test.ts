/** What would be, for people: which nodes could be lost, and what a rebalance is good for. */
import { expect, test } from "vitest";
import { instant, nodeName, vmName } from "../../src/model/names.ts";
import { renderRebalance } from "../../src/report/what-if/rebalance-text.ts";
import { renderSurvival } from "../../src/report/what-if/survival-text.ts";
import type { Rebalance } from "../../src/what-if/rebalance.ts";
import type { Loss, Survival } from "../../src/what-if/survive.ts";
import { aPlan } from "../support/a-plan.ts";

const survival = (over: Partial<Survival> = {}): Survival => ({
  kind: "Survival",
  version: 1,
  fleet: "test",
  source: ".",
  commit: null,
  observedAt: instant("2026-01-01T12:00:00.000Z"),
  losses: 1,
  nodes: 3,
  vms: 1,
  cases: 3,
  emptyDisks: 0,
  survives: true,
  failures: [],
  unseen: { nodes: [], vms: 0 },
  ...over,
});
const loss = (down: readonly string[], homeless: readonly string[], vms = homeless.length): Loss => ({
  down: down.map(nodeName),
  vms,
  homeless: homeless.map((name) => ({ name: vmName(name), filters: [] })),
});
const said = (over: Partial<Survival>) => renderSurvival(survival(over), { colour: false });

test("one node or any two, and how much was looked at", () => {
  expect(said({})).toBe(
    "Survives the loss of any one node: everybody finds a home on the rest (1 VM on 3 nodes, 3 cases placed).",
  );
  expect(said({ losses: 2, cases: 1 })).toMatch(/^Survives the loss of any two nodes: .* 1 case placed\)\.$/);
});

test("who could not be lost, and how many find no home then", () => {
  const failures = [loss(["n1"], ["a"], 3), loss(["n2", "n3"], ["a", "b"])];
  const [verdict, first, second, ...rest] = said({ survives: false, losses: 2, failures }).split("\n\n");
  expect(verdict).toMatch(/^Does not survive the loss of any two nodes: 1 node and 1 pair of nodes could not be lost/);
  expect(first).toMatch(/^n1 down: 1 of 3 VMs finds no home\n {2}a: /);
  expect(second).toMatch(/^n2 and n3 down: 2 of 2 VMs find no home\n {2}a, b: /);
  expect(rest).toEqual([]);
  expect(said({ survives: false, failures: [failures[0] as Loss] })).toMatch(/any one node: 1 node could not be lost/);
  const many = Array.from({ length: 22 }, (_, index) => loss([`n${index}`], ["a"]));
  expect(said({ survives: false, failures: many }).split("\n\n").at(-1)).toBe("and 2 cases more: --json has them all");
  expect(said({ survives: false, failures: many.slice(0, 20) })).not.toContain("more: --json");
});

test("disks that stay behind, and what nobody could look at", () => {
  expect(said({ emptyDisks: 1 }).split("\n\n")[1]).toMatch(/^1 VM has its disks on the node alone/);
  expect(said({ emptyDisks: 2 }).split("\n\n")[1]).toMatch(/^2 VMs have their disks on the node alone/);
  expect(said({ unseen: { nodes: [nodeName("n9")], vms: 0 } }).split("\n\n")[1]).toBe(
    "Not looked at: n9, which does not answer.",
  );
  expect(said({ unseen: { nodes: [nodeName("n8"), nodeName("n9")], vms: 2 } }).split("\n\n")[1]).toBe(
    "Not looked at: n8, n9, which do not answer, and 2 VMs that nobody can see.",
  );
});

test("a rebalance tells how full nodes are and would be, or that nobody is moved", () => {
  const fullness = (of: Record<string, number>) => new Map(Object.entries(of)) as unknown as Rebalance["before"];
  const rendered = (plan: Rebalance["plan"], before: Record<string, number>, after: Record<string, number>) =>
    renderRebalance({ plan, before: fullness(before), after: fullness(after), heldByOldDisks: [] } as Rebalance, {
      colour: false,
      minGain: 0.05,
    });
  expect(rendered(aPlan().build(), { n1: 0.5, n2: 0.4 }, { n1: 0.5, n2: 0.4 })).toBe(
    "Nobody is moved: no move makes a full node less full by 5 % of it or more (the fullest is 50 % full).",
  );
  const moving = aPlan().change("web-1", "migrate", "migrate", "node-2", { text: "x" }).build();
  expect(rendered(moving, { n1: 0.9, "node-2": 0.1, n3: 0.3 }, { n1: 0.5, "node-2": 0.5, n3: 0.3 })).toBe(
    "1 guest would move; the fullest node is 90 % full, and 50 % afterwards:\n  n1      90 % → 50 %\n  node-2  10 % → 50 %",
  );
  const nodes = (value: number) => Object.fromEntries(Array.from({ length: 22 }, (_, index) => [`n${index}`, value]));
  expect(rendered(moving, nodes(0.2), nodes(0.1)).split("\n").at(-1)).toBe("  and 2 more");
});
