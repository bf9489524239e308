/** What a sequence looks like: one story for each thing that it does. */
import { describe, expect, test } from "vitest";
import type { Problem } from "../../src/placement/engine/problem.ts";
import { toBars } from "../../src/schedule/gantt.ts";
import { coldMove, liveMove, USUAL_COSTS } from "../../src/schedule/move-duration.ts";
import { sequence } from "../../src/schedule/sequence.ts";
import { aNode, aProblem, apartPerNode, aVm } from "../support/a-problem.ts";

/** In GiB, to keep the stories short. */
const node = (name: string, gib: number, of = {}) => aNode(name, { room: [64, gib * 1024], ...of });
const vm = (name: string, home: number, gib: number, of = {}) => aVm(name, home, gib * 1024, of);

/** `a n1→n2`, with what it waits for by its place in the list. */
const inWords = (problem: Problem, homes: readonly number[]) => {
  const { moves, inPlace } = sequence(problem, homes);
  const name = (index: number) => problem.nodes[index]!.name;
  const waits = ({ after, afterInPlace }: { after: readonly number[]; afterInPlace: readonly number[] }) =>
    [
      ...after.map((each) => ` after ${each}`),
      ...afterInPlace.map((each) => ` after ${inPlace[each]?.kind} ${each}`),
    ].join("");
  return [
    ...moves.map(
      (move) =>
        `${problem.vms[move.vm]!.name} ${name(move.from)}→${name(move.to)}${move.parked ? " parked" : ""}${waits(move)}`,
    ),
    ...inPlace.map((each) => `${each.kind} ${problem.vms[each.vm]!.name} on ${name(each.node)}${waits(each)}`),
  ];
};

describe("order", () => {
  test("what fits beside one another waits for nobody", () => {
    const problem = aProblem([node("n1", 8), node("n2", 8)], [vm("a", 0, 2), vm("b", 0, 2)]);
    expect(inWords(problem, [1, 1])).toEqual(["a n1→n2", "b n1→n2"]);
  });

  test("a move waits for enough to leave, and for nobody else", () => {
    const problem = aProblem(
      [node("n1", 8), node("n2", 8), node("n3", 16)],
      [vm("a", 0, 4), vm("b", 1, 4), vm("c", 1, 4)],
    );
    const { moves } = sequence(problem, [1, 2, 2]);
    expect(moves.find((move) => move.vm === 0)?.after).toHaveLength(1);
  });

  test("two that change places on full nodes: the smaller waits on a third", () => {
    const problem = aProblem([node("n1", 3), node("n2", 3), node("n3", 3)], [vm("a", 0, 2), vm("b", 1, 3)]);
    expect(inWords(problem, [1, 0])).toEqual(["a n1→n3 parked", "b n2→n1 after 0", "a n3→n2 after 1"]);
  });

  test("a third guest makes way, and comes home", () => {
    const problem = aProblem(
      [node("n1", 3), node("n2", 3), node("n3", 3), node("n4", 1)],
      [vm("a", 0, 3), vm("b", 1, 3), vm("c", 2, 1)],
    );
    const { moves, stuck } = sequence(problem, [1, 0, 2]);
    expect(stuck).toEqual([]);
    expect(moves).toHaveLength(5);
    expect(
      toBars(problem, [1, 0, 2], sequence(problem, [1, 0, 2])).map(({ vm: name, to, kind }) => `${name} ${to} ${kind}`),
    ).toEqual(["c n4 aside", "b n3 park", "a n2 live", "b n1 live", "c n3 live"]);
  });

  test("where only cold is left, one is stopped ahead of its move", () => {
    const cold = { moves: "cold" } as const;
    const problem = aProblem([node("n1", 3), node("n2", 3)], [vm("a", 0, 3, cold), vm("b", 1, 3, cold)]);
    expect(inWords(problem, [1, 0])).toEqual(["a n1→n2 after stop 0", "b n2→n1 after 0", "stop b on n2"]);
  });

  test("one that stays takes more when there is room, and gives back at once", () => {
    const grows = { holds: [1, 2048], wants: [1, 4096] };
    const shrinks = { holds: [1, 4096], wants: [1, 2048] };
    const problem = aProblem(
      [node("n1", 4), node("n2", 4)],
      [vm("a", 0, 2, grows), vm("b", 0, 2), vm("c", 1, 4, shrinks)],
    );
    expect(inWords(problem, [0, 1, 1])).toEqual(["b n1→n2 after resize 0", "resize c on n2", "resize a on n1 after 0"]);
  });

  test("a new one waits for room like everybody", () => {
    const problem = aProblem([node("n1", 4), node("n2", 4)], [vm("a", 0, 4), vm("new", -1, 4)]);
    expect(inWords(problem, [1, 0])).toEqual(["a n1→n2", "arrive new on n1 after 0"]);
  });

  test("two that must be apart are so at every instant; two that were together are forgiven until one moves", () => {
    const problem = aProblem(
      [node("n1", 8), node("n2", 8), node("n3", 8)],
      [vm("a", 0, 2), vm("b", 0, 2), vm("c", 1, 2)],
      { rules: [apartPerNode([0, 1, 2], 3)] },
    );
    expect(inWords(problem, [0, 1, 2])).toEqual(["c n2→n3", "b n1→n2 after 0"]);
  });

  test("no more of a group are down than it bears", () => {
    const cold = { moves: "cold", group: 0 } as const;
    const problem = aProblem(
      [node("n1", 8), node("n2", 8)],
      [vm("a", 0, 2, cold), vm("b", 0, 2, cold), vm("c", 0, 2, cold)],
      { groups: [{ name: "web", maxUnavailable: 1 }] },
    );
    const { moves } = sequence(problem, [1, 1, 1]);
    expect(moves.map(({ after }) => after)).toEqual([[], [0], [1]]);
  });
});

describe("what cannot be done", () => {
  test("a circle without any room: the rest is done, and it is said who waits for whom", () => {
    const problem = aProblem(
      [node("n1", 4), node("n2", 4), node("n3", 8)],
      [vm("a", 0, 4), vm("b", 1, 4), vm("c", 2, 4), vm("d", 2, 4), vm("e", -1, 0)],
    );
    const { moves, stuck } = sequence(problem, [1, 0, 2, 2, -1]);
    expect(moves).toEqual([]);
    expect(stuck[0]).toMatchObject({
      isProven: true,
      waits: [
        { vm: 0, node: 1, why: "room", resource: 1, lacks: 4096, waitsFor: [1] },
        { vm: 1, node: 0, why: "room", resource: 1, lacks: 4096, waitsFor: [0] },
      ],
    });
    expect(stuck[0]?.vms).toEqual([0]);
    expect(stuck[0]?.wouldHelp).toEqual([0, 1, 2].map((at) => ({ node: at, resource: 1, amount: 4096 })));
  });

  test("one that may not move", () => {
    const problem = aProblem([node("n1", 4), node("n2", 4)], [vm("a", 0, 1, { moves: "never" }), vm("b", 0, 1)]);
    const { moves, stuck } = sequence(problem, [1, 1]);
    expect(stuck).toMatchObject([{ vms: [0], isProven: true, waits: [{ why: "never" }], givesWay: [0] }]);
    expect(moves).toHaveLength(1);
  });
});

describe("time", () => {
  test("one after another over the same link, the longest first; side by side over different ones", () => {
    const problem = aProblem(
      [node("n1", 16), node("n2", 16), node("n3", 16)],
      [vm("a", 0, 1), vm("b", 0, 4), vm("c", 1, 2)],
    );
    const { moves, makespanS, busiestLink } = sequence(problem, [2, 2, 0]);
    const liveS = USUAL_COSTS.liveS;
    expect(moves.map(({ vm: who, startS, endS }) => [who, startS, endS])).toEqual([
      [2, 0, 2 + liveS],
      [1, 0, 4 + liveS],
      [0, 4 + liveS, 5 + 2 * liveS],
    ]);
    expect(makespanS).toBeCloseTo(5.4);
    expect(busiestLink).toEqual({ node: 0, direction: "up", seconds: 5 });
  });

  test("a fast sender serves two slow receivers at once", () => {
    const slow = { downMiBps: 512 };
    const problem = aProblem(
      [node("n1", 16), node("n2", 16, slow), node("n3", 16, slow)],
      [vm("a", 0, 4), vm("b", 0, 4)],
    );
    expect(sequence(problem, [1, 2]).moves.map(({ startS }) => startS)).toEqual([0, 0]);
  });

  test("limits per node and for the fleet are kept to", () => {
    const nodes = ["n1", "n2", "n3", "n4"].map((name) => node(name, 16));
    const problem = aProblem(nodes, [vm("a", 0, 4), vm("b", 1, 4)]);
    const startsWith = (perNode: number, perFleet: number) =>
      sequence(problem, [2, 3], { limits: { perNode, perFleet } }).moves.map(({ startS }) => startS);
    expect(startsWith(1, 2)).toEqual([0, 0]);
    expect(startsWith(1, 1)).toEqual([0, 4 + USUAL_COSTS.liveS]);
  });

  test("the least room of each node, while and after everybody moves", () => {
    const problem = aProblem([node("n1", 4), node("n2", 4)], [vm("a", 0, 3), vm("b", 1, 1)]);
    expect(sequence(problem, [1, 1]).headroom.map(([, memory]) => memory)).toEqual([1024, 0]);
  });

  test("a guest that writes is sent in rounds; one that writes as fast as is sent never ends by itself", () => {
    const idle = liveMove({ moveMiB: 8192, dirtyMiBps: 0 }, 1024, USUAL_COSTS);
    expect(idle).toEqual({ seconds: 8 + USUAL_COSTS.liveS, sentMiB: 8192, downtimeMs: 10, converges: true });
    const busy = liveMove({ moveMiB: 8192, dirtyMiBps: 512 }, 1024, USUAL_COSTS);
    // 8192 + 4096 + … + 512 while it runs, 256 while it stands still.
    expect(busy).toMatchObject({ sentMiB: 16_128, downtimeMs: 260, converges: true });
    expect(liveMove({ moveMiB: 8192, dirtyMiBps: 2048 }, 1024, USUAL_COSTS).converges).toBe(false);
    expect(coldMove({ moveMiB: 1024, dirtyMiBps: 9999 }, 1024, USUAL_COSTS)).toMatchObject({
      seconds: 1 + USUAL_COSTS.coldS,
      downtimeMs: 1_000 * (1 + USUAL_COSTS.coldS),
    });
    const problem = aProblem([node("n1", 8), node("n2", 8)], [vm("a", 0, 4, { dirtyMiBps: 3000 })]);
    expect(sequence(problem, [1]).moves[0]?.converges).toBe(false);
  });
});
