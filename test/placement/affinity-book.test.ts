/** The book of affinity looks its rules up by label; these tests count the slow way, and see that it is not needed. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { AffinityRule, DesiredNode } from "../../src/model/desired-state.ts";
import { matches } from "../../src/model/may-live-on.ts";
import { nodeName } from "../../src/model/names.ts";
import { AffinityBook, type Settled } from "../../src/placement/affinity-book.ts";

const aNode = (name: string, rack: string | null): DesiredNode => ({
  name: nodeName(name),
  address: `http://${name}`,
  labels: rack === null ? {} : { rack },
  reserved: { cpus: 0, memoryMiB: 0 },
  overcommit: { cpus: 1, memory: 1 },
  cordoned: false,
  fenced: false,
  maintenance: null,
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
      const judge = book.judge({ labels, antiAffinity }, { affinity: [] });
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
      const judge = book.judge({ labels: {}, antiAffinity }, { affinity: [] });
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

test("ten times as many VMs and applications cost about ten times the looks at labels", () => {
  const looks = (applications: number) => {
    let count = 0;
    const labels = (app: string): Readonly<Record<string, string>> => ({
      get app() {
        count++;
        return app;
      },
    });
    const vms = Array.from({ length: 5 * applications }, (_, index): Settled => {
      const app = `app-${index % applications}`;
      return { labels: labels(app), antiAffinity: [{ match: labels(app), per: "node", required: true }] };
    });
    const book = new AffinityBook(
      NODES,
      vms.flatMap((vm) => vm.antiAffinity),
    );
    for (const [index, vm] of vms.entries()) book.settle(vm, NODES[index % 3]!.name);
    return count;
  };
  const few = looks(50);
  expect(few).toBeGreaterThan(0);
  // One after the other it would be a hundred times as many.
  expect(looks(500) / few).toBeLessThan(15);
});
