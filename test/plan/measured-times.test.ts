/** A guest that has moved before is reckoned with as it was then: the median of its last three moves, whoever remembers them. */
import { expect, test } from "vitest";
import type { MoveSample, VmHistory } from "../../src/model/history.ts";
import { instant, vmName } from "../../src/model/names.ts";
import { renderTimes } from "../../src/report/plan/times-text.ts";
import { paintWith } from "../../src/report/words/paint.ts";
import { aFleet, aSpec, planOf } from "../support/a-fleet.ts";

const moved = (minute: number, seconds: number, over: Partial<MoveSample> = {}): MoveSample => ({
  at: instant(new Date(Date.UTC(2025, 0, 1, 12, minute)).toISOString()),
  ...{ seconds, mode: "live", sentMiB: 300, downtimeMs: 40, memoryMiB: 1024 },
  ...over,
});

function moving(
  histories: Readonly<Record<string, readonly VmHistory[]>>,
  memoryMiB = 1024,
  rate?: number,
  mode: "live" | "cold" = "live",
) {
  const migration = { mode, downtimeMs: 300, timeoutSeconds: 600 };
  const spec = aSpec({ memory: { sizeMiB: memoryMiB, maxMiB: memoryMiB }, migration });
  const link = rate === undefined ? {} : { migrationMiBps: rate };
  const fleet = aFleet().node("n1", link).node("n2", link).node("n3", link);
  const world = fleet.empty().sends("n1", "n2", "n3").carries("n1", "n2", "n3");
  for (const vm of ["a", "b"]) {
    fleet.vm(vm, { on: "n2", memory: spec.memory, migration });
    world.has(vm, "n1", { spec });
  }
  for (const [node, history] of Object.entries(histories)) world.remembers(node, history);
  const plan = planOf(fleet, world);
  expect(planOf(fleet, world)).toEqual(plan);
  const of = (vm: string) => plan.times?.moves.find(({ step }) => step.startsWith(`migrateVm-${vm}-`));
  const [a, b] = [of("a"), of("b")];
  if (a === undefined || b === undefined) throw new Error("both move");
  return { a: { ...a, took: Math.round((a.endSeconds - a.startSeconds) * 100) / 100 }, b, plan };
}
const a = (...moves: MoveSample[]): VmHistory => ({ name: vmName("a"), moves });

test("the median of three, over all nodes that remember, and the others are assumed", () => {
  const { a: mine, b, plan } = moving({ n1: [a(moved(3, 9), moved(1, 2.5))], n3: [a(moved(2, 3))] });
  expect(mine).toMatchObject({ basis: "measured", took: 3, memoryMiB: 300, downtimeMs: 40 });
  expect(b.basis).toBeUndefined();
  const [summary, basis] = renderTimes(plan, paintWith(false));
  expect(summary).toContain("1324 MiB to send");
  expect(basis).toBe(
    "  how long a move takes is measured: the median of its guest's last moves, for 1 of 2; of the others it is assumed, from its memory and the link",
  );
});

test("a guest that has grown since takes as much longer; a link that is slower than then counts", () => {
  expect(moving({ n1: [a(moved(1, 3))] }, 2048).a).toMatchObject({ took: 6, memoryMiB: 600 });
  expect(moving({ n1: [a(moved(1, 3))] }, 1024, 50).a).toMatchObject({ took: 6 });
});

test("how it moved when it was off says nothing of a live move", () => {
  expect(moving({ n1: [a(moved(1, 99, { mode: "cold" }))] }).a.basis).toBeUndefined();
});

test("nobody has moved: that is said", () => {
  expect(renderTimes(moving({}).plan, paintWith(false))[1]).toBe(
    "  how long a move takes is assumed, from its memory and the link: none of these guests has moved before, and one that writes much takes longer",
  );
});

test("one that is stopped for its move stands still for stop, transfer and boot, as each was seen", () => {
  const sample = (seconds: number) => [{ at: moved(9, 0).at, seconds }];
  const cold = { ...a(moved(1, 20, { mode: "cold", sentMiB: 500 })), stops: sample(3), boots: sample(8) };
  const { a: mine } = moving({ n1: [cold] }, 1024, undefined, "cold");
  expect(mine).toMatchObject({ basis: "measured", took: 31, memoryMiB: 500, downtimeMs: 31_000 });
});
