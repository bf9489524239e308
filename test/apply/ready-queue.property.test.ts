/** Which step starts next: the first in plan order that no limit forbids, and nobody waits behind one that has to. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type LimitedStep, type Limits, ReadyQueue } from "../../src/apply/ready-queue.ts";
import { nodeName } from "../../src/model/names.ts";

const node = fc.constantFrom("n1", "n2", "n3", "n4").map(nodeName);
const step: fc.Arbitrary<LimitedStep> = fc.oneof(
  fc.record({ node }),
  fc.record({ node, fromNode: node }).filter((each) => each.node !== each.fromNode),
);
const most = fc.integer({ min: 1, max: 4 });
const moves = fc.record({ total: most, perNode: most });
const limits: fc.Arbitrary<Limits> = fc.oneof(
  fc.record({ total: fc.integer({ min: 1, max: 8 }), perNode: most }),
  fc.record({ total: fc.integer({ min: 1, max: 8 }), perNode: most, moves }),
);

const count = (steps: readonly LimitedStep[], isOne: (step: LimitedStep) => boolean): number =>
  steps.filter(isOne).length;

/** From the limits alone. */
function mayStart(
  next: LimitedStep,
  inFlight: readonly LimitedStep[],
  { total, perNode, moves: ofMoves }: Limits,
): boolean {
  if (inFlight.length >= total || count(inFlight, (each) => each.node === next.node) >= perNode) return false;
  if (next.fromNode === undefined || ofMoves === undefined) return true;
  const moving = inFlight.filter(({ fromNode }) => fromNode !== undefined);
  const at = (end: string) => count(moving, (each) => each.node === end || each.fromNode === end);
  return moving.length < ofMoves.total && [next.node, next.fromNode].every((end) => at(end) < ofMoves.perNode);
}

test("always the first that may, whatever ends in whatever order", () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 30 }),
      limits,
      fc.infiniteStream(fc.nat()),
      (steps, some, chance) => {
        const queue = new ReadyQueue(steps, some);
        const [notYet, waiting, inFlight] = [steps.map((_, index) => index), new Set<number>(), [] as number[]];
        const draw = (): number => chance.next().value as number;
        while (notYet.length + waiting.size + inFlight.length > 0) {
          for (let news = draw() % 4; news > 0 && notYet.length > 0; news--) {
            const [added = 0] = notYet.splice(draw() % notYet.length, 1);
            queue.add(added);
            waiting.add(added);
          }
          for (;;) {
            const busy = inFlight.map((each) => steps[each] as LimitedStep);
            const able = [...waiting].filter((each) => mayStart(steps[each] as LimitedStep, busy, some));
            const taken = queue.take();
            expect(taken).toBe(able.length === 0 ? null : Math.min(...able));
            if (taken === null) break;
            waiting.delete(taken);
            inFlight.push(taken);
          }
          for (let ends = 1 + (draw() % 3); ends > 0 && inFlight.length > 0; ends--)
            queue.release(inFlight.splice(draw() % inFlight.length, 1)[0] as number);
        }
      },
    ),
    { seed: 37, numRuns: 500 },
  );
});

test("limits of less than one step are a mistake", () => {
  const none = { total: 0, perNode: 1 };
  expect(() => new ReadyQueue([], none)).toThrow(RangeError);
  expect(() => new ReadyQueue([], { total: 1, perNode: 1, moves: none })).toThrow(RangeError);
});
