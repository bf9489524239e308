/** Small fleets with every kind of trouble, tight enough that seats must often be made free. */
import fc from "fast-check";
import type { Problem, Rule } from "../../src/placement/engine/problem.ts";
import { aNode, aVm } from "./a-problem.ts";

export interface ProblemBounds {
  readonly nodes: number;
  readonly vms: number;
}

const GIB = 1024;

const anyRule = (nodes: number, vms: number): fc.Arbitrary<Rule> => {
  const some = fc.uniqueArray(fc.nat(vms - 1), { minLength: 1, maxLength: 4 }).map((all) => all.sort((a, b) => a - b));
  return fc
    .record({
      kind: fc.constantFrom("apart", "apart", "apart", "together", "spread"),
      subjects: some,
      others: fc.option(some, { freq: 2 }),
      domains: fc.constantFrom("node", "rack", "label"),
      skew: fc.constantFrom(1, 1, 2),
      weight: fc.constantFrom(null, null, null, 5),
    })
    .map(({ kind, subjects, others, domains, skew, weight }) => ({
      kind,
      subjects,
      others: others ?? subjects,
      domainOf: Array.from({ length: nodes }, (_, node) =>
        domains === "node" ? node : domains === "rack" ? node % 2 : node === 0 ? -1 : node % 2,
      ),
      skew,
      weight,
      text: `${kind} per ${domains}`,
    }));
};

/** `home`: any node, whatever fits there: a fleet may be in any state. */
export const anyProblem = ({ nodes: mostNodes, vms: mostVms }: ProblemBounds): fc.Arbitrary<Problem> =>
  fc
    .tuple(fc.integer({ min: 2, max: mostNodes }), fc.integer({ min: 1, max: mostVms }))
    .chain(([nodeCount, vmCount]) => {
      const aSomeNode = fc.record({
        memory: fc.constantFrom(4, 6, 8),
        cpus: fc.constantFrom(3, 4, 8),
        state: fc.constantFrom("open", "open", "open", "open", "open", "closed", "leaving"),
      });
      const aSomeVm = fc.record({
        home: fc.integer({ min: -1, max: nodeCount - 1 }),
        memory: fc.integer({ min: 0, max: 4 }),
        grows: fc.constantFrom(0, 0, 0, 1, 2),
        cpus: fc.constantFrom(0, 1, 1, 2),
        allowed: fc.option(fc.uniqueArray(fc.nat(nodeCount - 1), { minLength: 1 }), { freq: 3 }),
        moves: fc.constantFrom("live" as const, "live" as const, "live" as const, "live" as const, "never" as const),
      });
      return fc
        .record({
          nodes: fc.array(aSomeNode, { minLength: nodeCount, maxLength: nodeCount }),
          vms: fc.array(aSomeVm, { minLength: vmCount, maxLength: vmCount }),
          rules: fc.array(anyRule(nodeCount, vmCount), { maxLength: 3 }),
        })
        .map(({ nodes, vms, rules }) => ({
          resources: ["cpus", "memoryMiB"],
          nodes: nodes.map(({ memory, cpus, state }, index) =>
            aNode(`n${index}`, { room: [cpus, memory * GIB], closed: state !== "open", leaving: state === "leaving" }),
          ),
          vms: vms.map(({ home, memory, grows, cpus, allowed, moves }, index) =>
            aVm(`v${index}`, home, memory * GIB, {
              holds: home < 0 ? [0, 0] : [cpus, memory * GIB],
              wants: [cpus, (memory + grows) * GIB],
              allowed: allowed === null ? null : allowed.sort((a, b) => a - b),
              moves: home < 0 ? "never" : moves,
            }),
          ),
          rules,
          groups: [],
        }));
    });
