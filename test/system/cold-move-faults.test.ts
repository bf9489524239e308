/**
 * Whatever breaks at whatever moment of a move of a VM that is off: it has exactly one home afterwards, its disk is there byte for byte, and what a
 * killed agent had begun its successor ends. The table of what became of it is printed.
 */
import { afterAll, describe, expect, test } from "vitest";
import { aMovingWorld, type MovingWorld } from "../support/moving-world.ts";

const TABLE_MS = 600_000;

/** In the order of a move: who stands still, where, and what that moment is. */
const MOMENTS = [
  ["n1", "save:sending:before", "not begun"],
  ["n1", "save:sending:after", "begun"],
  ["n2", "save:arriving:before", "about to arrive"],
  ["n2", "save:arriving:after", "arriving"],
  ["n2", "save:whole:before", "all there, compared"],
  ["n2", "save:whole:after", "whole"],
  ["n1", "save:given:before", "about to be given"],
  ["n1", "save:given:after", "given"],
  ["n2", "save:taken:before", "asked to take it"],
  ["n2", "save:taken:after", "taken"],
  ["n1", "save:left:before", "about to be left"],
  ["n1", "save:left:after", "left"],
] as const;
type Moment = (typeof MOMENTS)[number];

interface Fault {
  readonly name: string;
  readonly happens: (world: MovingWorld) => Promise<void> | void;
  readonly restarts?: "n1" | "n2";
}

const FAULTS: readonly Fault[] = [
  { name: "kill source agent", happens: ({ n1 }) => n1.killAndStart(), restarts: "n1" },
  { name: "kill dest. agent", happens: ({ n2 }) => n2.killAndStart(), restarts: "n2" },
  { name: "cut", happens: ({ link }) => link.cut() },
  { name: "swallow forth", happens: ({ link }) => link.swallow("forth") },
];

const table = new Map<string, Map<string, string>>(MOMENTS.map((moment) => [moment[2], new Map()]));
afterAll(() => {
  const cell = (text: string) => text.padEnd(20);
  const rows = MOMENTS.map((moment) => moment[2]).map(
    (moment) => cell(moment) + FAULTS.map(({ name }) => cell(table.get(moment)?.get(name) ?? "-")).join(""),
  );
  console.log(
    [
      "cold: a VM that is off goes from n1 to n2, and in the middle …",
      cell("") + FAULTS.map(({ name }) => cell(name)).join(""),
      ...rows,
    ].join("\n"),
  );
});

describe.concurrent.each(FAULTS)("$name", { timeout: TABLE_MS }, (fault) => {
  test("at each moment of a cold move", async () => {
    await using world = await aMovingWorld("noop");
    for (const [number, moment] of MOMENTS.entries()) {
      // To a link it is the same on either side of a write.
      if (fault.restarts === undefined && !moment[1].endsWith("after")) continue;
      const became = await breakAt(world, `vm-${number}`, moment, fault);
      table.get(moment[2])?.set(fault.name, became);
    }
  });
});

async function breakAt(world: MovingWorld, vm: string, moment: Moment, fault: Fault): Promise<string> {
  const [node, boundary, words] = moment;
  const what = `${fault.name} when ${words}`;
  const disk = Buffer.alloc(400_000);
  disk.write(`${vm} wrote this`, 200_000);
  await world.makeOff(vm, disk);
  const stands = world[node].stand(boundary, vm);
  const moving = world.move(vm, "cold");
  const early = await Promise.race([stands.then(() => null), moving]);
  expect(early, `${what}: it comes to this moment`).toBeNull();
  await fault.happens(world);
  if (fault.restarts !== node) world[node].go();
  await moving;
  await world.settled(vm);

  const [here, there] = await Promise.all([world.report("n1", vm), world.report("n2", vm)]);
  // Nothing that breaks calls it off: whoever comes back goes on.
  expect([here?.phase, here?.migration?.stage], what).toEqual(["stopped", "left"]);
  expect([there?.phase, there?.migration], what).toEqual(["stopped", undefined]);
  expect(world.diskOn("n2", vm)?.equals(disk), `${what}: its disk is there`).toBe(true);
  expect(world.diskOn("n1", vm)?.equals(disk), `${what}: it stays where it was`).toBe(true);
  expect(await world.bootOn("n2", vm), what).toBe("running");
  expect(await world.bootOn("n1", vm), what).toBe("WRONG_PHASE");
  await world.remove(vm);
  return "off on n2";
}
