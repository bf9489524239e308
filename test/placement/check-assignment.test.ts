/** The judge of assignments: what an assignment broke, and what was so before it. */
import { expect, test } from "vitest";
import { type Breach, checkAssignment } from "../../src/placement/engine/check-assignment.ts";
import { aNode, aProblem, apartPerNode, aVm } from "../support/a-problem.ts";

const THREE = [aNode("n1"), aNode("n2"), aNode("n3")];
const RACKS = [0, 0, 1];
const told = (breaches: readonly Breach[]) => breaches.map(({ kind, text }) => `${kind}: ${text}`);

test("a fleet in which everybody has a home with room has nothing to be told of", () => {
  const problem = aProblem(THREE, [aVm("a", 0, 4096), aVm("b", 1, 4096)]);
  expect(checkAssignment(problem, [0, 1])).toEqual({ broken: [], kept: [] });
  expect(checkAssignment(problem, [2, 2])).toEqual({ broken: [], kept: [] });
});

test("who has no home is told of: new ones are forgiven, others were taken off", () => {
  const problem = aProblem(THREE, [aVm("a", 0, 1024), aVm("b", -1, 1024)]);
  const { broken, kept } = checkAssignment(problem, [-1, -1]);
  expect(told(broken)).toEqual(["unplaced: a is taken off its node"]);
  expect(told(kept)).toEqual(["unplaced: b has no home"]);
});

test("a node that is emptied takes nobody, and who stays on it is told of", () => {
  const problem = aProblem(
    [aNode("n1", { leaving: true, closed: true }), aNode("n2", { closed: true })],
    [aVm("a", 0, 1024), aVm("b", 1, 1024), aVm("c", -1, 1024)],
  );
  const { broken, kept } = checkAssignment(problem, [0, 0, 1]);
  expect(told(kept)).toEqual(["leaving: a is on n1, which is emptied"]);
  expect(told(broken)).toEqual(["leaving: b is on n1, which is emptied", "closed: c goes to n2, which takes nobody"]);
});

test("who cannot move and who may not live there is told of", () => {
  const problem = aProblem(THREE, [
    aVm("a", 0, 1024, { allowed: [1], moves: "never" }),
    aVm("b", 1, 1024, { moves: "never" }),
  ]);
  expect(told(checkAssignment(problem, [0, 1]).kept)).toEqual(["allowed: a may not live on n1"]);
  expect(told(checkAssignment(problem, [2, 0]).broken)).toEqual([
    "stays: a cannot move, and is moved to n3",
    "allowed: a may not live on n3",
    "stays: b cannot move, and is moved to n1",
  ]);
});

test("room is of what is wanted at the end; too full is forgiven where it was as full, and not where it got fuller", () => {
  const grown = [aVm("a", 0, 8192, { wants: [1, 9000] }), aVm("b", 1, 1024)];
  expect(told(checkAssignment(aProblem(THREE, grown), [0, 1]).kept)).toEqual([
    "room: n1 would hold 9000 memoryMiB and has room for 8192",
  ]);
  expect(told(checkAssignment(aProblem(THREE, grown), [0, 0]).broken)).toEqual([
    "room: n1 would hold 10024 memoryMiB and has room for 8192",
  ]);
  expect(checkAssignment(aProblem(THREE, [aVm("a", 0, 8192)]), [0])).toEqual({ broken: [], kept: [] });
});

test("apart: a pair that stands together is forgiven until one of the two moves", () => {
  const vms = [aVm("a", 0, 1024), aVm("b", 0, 1024), aVm("c", 1, 1024)];
  const problem = aProblem(THREE, vms, { rules: [apartPerNode([0, 1, 2], 3)] });
  const stayed = checkAssignment(problem, [0, 0, 1]);
  expect(told(stayed.kept)).toEqual(["apart: a and b are not apart (app=web per node)"]);
  expect(stayed.broken).toEqual([]);
  expect(told(checkAssignment(problem, [1, 0, 1]).broken)).toEqual(["apart: a and c are not apart (app=web per node)"]);
  expect(told(checkAssignment(problem, [2, 2, 1]).broken)).toEqual(["apart: a and b are not apart (app=web per node)"]);
});

test("apart: nodes in no domain hold whom they like, and preferred rules break nothing", () => {
  const vms = [aVm("a", -1, 1024), aVm("b", -1, 1024)];
  const nowhere = apartPerNode([0, 1], 3, { domainOf: [-1, -1, 0] });
  expect(checkAssignment(aProblem(THREE, vms, { rules: [nowhere] }), [0, 0]).broken).toEqual([]);
  const preferred = apartPerNode([0, 1], 3, { weight: 1 });
  expect(checkAssignment(aProblem(THREE, vms, { rules: [preferred] }), [0, 0]).broken).toEqual([]);
});

test("together: the first of its kind may go anywhere, nobody else may", () => {
  const rule = {
    kind: "together",
    subjects: [0, 1],
    others: [0, 1],
    domainOf: RACKS,
    skew: 1,
    weight: null,
    text: "app=db per rack",
  } as const;
  const problem = aProblem(THREE, [aVm("a", -1, 1024), aVm("b", -1, 1024)], { rules: [rule] });
  expect(checkAssignment(problem, [2, -1]).broken).toEqual([]);
  expect(checkAssignment(problem, [0, 1]).broken).toEqual([]);
  expect(told(checkAssignment(problem, [0, 2]).broken)).toEqual([
    "together: a is without those it belongs to (app=db per rack)",
    "together: b is without those it belongs to (app=db per rack)",
  ]);
});

test("together: who is left behind by one that moves was not lonely before", () => {
  const rule = {
    kind: "together",
    subjects: [0],
    others: [1],
    domainOf: RACKS,
    skew: 1,
    weight: null,
    text: "beside b",
  } as const;
  const vms = (b: number) => [aVm("a", 0, 1024), aVm("b", b, 1024)];
  expect(told(checkAssignment(aProblem(THREE, vms(1), { rules: [rule] }), [0, 2]).broken)).toEqual([
    "together: a is without those it belongs to (beside b)",
  ]);
  expect(told(checkAssignment(aProblem(THREE, vms(2), { rules: [rule] }), [0, 2]).kept)).toEqual([
    "together: a is without those it belongs to (beside b)",
  ]);
});

test("spread: no domain holds more than skew beyond the emptiest that counts", () => {
  const rule = {
    kind: "spread",
    subjects: [0, 1, 2],
    others: [],
    domainOf: RACKS,
    skew: 1,
    weight: null,
    text: "app=web per rack",
  } as const;
  const vms = [aVm("a", 0, 1024), aVm("b", 1, 1024), aVm("c", -1, 1024)];
  const problem = aProblem(THREE, vms, { rules: [rule] });
  const stayed = checkAssignment(problem, [0, 1, -1]);
  expect(told(stayed.kept)).toEqual([
    "unplaced: c has no home",
    "spread: 1 too many are in one domain (app=web per rack, at most 1 more than elsewhere)",
  ]);
  expect(told(checkAssignment(problem, [0, 1, 0]).broken)).toEqual([
    "spread: 2 too many are in one domain (app=web per rack, at most 1 more than elsewhere)",
  ]);
  expect(checkAssignment(problem, [0, 1, 2])).toEqual({ broken: [], kept: [] });
});

test("spread: a domain that nobody may come to is not what the others are held to", () => {
  const rule = {
    kind: "spread",
    subjects: [0, 1],
    others: [],
    domainOf: RACKS,
    skew: 1,
    weight: null,
    text: "app=web per rack",
  } as const;
  const emptied = [aNode("n1"), aNode("n2"), aNode("n3", { leaving: true, closed: true })];
  const problem = aProblem(emptied, [aVm("a", -1, 1024), aVm("b", -1, 1024)], { rules: [rule] });
  expect(checkAssignment(problem, [0, 1])).toEqual({ broken: [], kept: [] });
});
