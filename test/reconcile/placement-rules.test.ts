/** The book of affinity looks its rules up by label; these tests count the slow way, and see that it is not needed. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { AffinityRule, DesiredNode } from "../../src/model/desired-state.ts";
import { nodeName } from "../../src/model/names.ts";
import { AffinityBook, matches, type Settled } from "../../src/reconcile/placement-rules.ts";

const aNode = (name: string, rack: string | null): DesiredNode => ({
  name: nodeName(name),
  address: `http://${name}`,
  labels: rack === null ? {} : { rack },
  reserved: { cpus: 0, memoryMiB: 0 },
  overcommit: { cpus: 1, memory: 1 },
  cordoned: false,
  fenced: false,
  source: null,
});
const NODES = [aNode("n1", "a"), aNode("n2", "a"), aNode("n3", "b"), aNode("n4", null)];

const aLabel = fc.constantFrom("x", "y", "a=b");
const someLabels = fc.dictionary(fc.constantFrom("app", "tier", "app=a"), aLabel, { maxKeys: 3 });
const someRules = fc.array(
  fc.record({ match: someLabels, per: fc.constantFrom("node", "rack"), required: fc.boolean() }),
  { maxLength: 4 },
);
const someVms = fc.array(fc.record({ labels: someLabels, antiAffinity: someRules, home: fc.nat(3) }), { maxLength: 8 });

const domainOf = (node: DesiredNode, per: string) => (per === "node" ? node.name : (node.labels[per] ?? null));
const isTogether = (a: DesiredNode, b: DesiredNode, { per }: AffinityRule) =>
  domainOf(a, per) !== null && domainOf(a, per) === domainOf(b, per);

test("a node is forbidden exactly when one of the two demands to be apart from the other", () => {
  fc.assert(
    fc.property(someVms, someLabels, someRules, (others, labels, antiAffinity) => {
      const book = new AffinityBook(NODES, [...others.flatMap((vm) => vm.antiAffinity), ...antiAffinity]);
      for (const vm of others) book.settle(vm, NODES[vm.home]!.name);
      const judge = book.judge({ labels, antiAffinity }, []);
      for (const node of NODES) {
        const clashes = others.some((other) => {
          const home = NODES[other.home]!;
          const refuses = (rules: readonly AffinityRule[], whom: Settled["labels"]) =>
            rules.some((rule) => rule.required && matches(whom, rule.match) && isTogether(node, home, rule));
          return refuses(antiAffinity, other.labels) || refuses(other.antiAffinity, labels);
        });
        expect(judge.whyApart(node) !== null).toBe(clashes);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("how much a node is disliked is the number of VMs there that match, once for each preferred rule", () => {
  fc.assert(
    fc.property(someVms, someRules, (others, antiAffinity) => {
      const book = new AffinityBook(NODES, [...others.flatMap((vm) => vm.antiAffinity), ...antiAffinity]);
      for (const vm of others) book.settle(vm, NODES[vm.home]!.name);
      const judge = book.judge({ labels: {}, antiAffinity }, []);
      for (const node of NODES) {
        const disliked = antiAffinity
          .filter((rule) => !rule.required)
          .flatMap((rule) =>
            others.filter((vm) => matches(vm.labels, rule.match) && isTogether(node, NODES[vm.home]!, rule)),
          );
        expect(judge.preference(node)).toBe(disliked.length);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("ten times as many VMs and applications are counted in about ten times the time", () => {
  const count = (applications: number) => {
    const vms = Array.from({ length: 5 * applications }, (_, index): Settled => {
      const match = { app: `app-${index % applications}` };
      return { labels: match, antiAffinity: [{ match, per: "node", required: true }] };
    });
    const begun = performance.now();
    const book = new AffinityBook(
      NODES,
      vms.flatMap((vm) => vm.antiAffinity),
    );
    for (const [index, vm] of vms.entries()) book.settle(vm, NODES[index % 3]!.name);
    return performance.now() - begun;
  };
  const best = (applications: number) => Math.min(...[1, 2, 3, 4, 5].map(() => count(applications)));
  best(200);
  // One after the other, 10,000 VMs of 2,000 applications are 20 million comparisons: a hundred times as many.
  expect(best(2_000) / best(200)).toBeLessThan(50);
}, 60_000);
