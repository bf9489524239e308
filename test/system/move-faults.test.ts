/**
 * Whatever breaks at whatever moment of a move: the guest has exactly one home afterwards, what it counts goes on without a number lost or said twice
 * where it survived, and nothing of it is left on the other side. The table of what became of it is printed.
 */
import { afterAll, describe, expect, test } from "vitest";
import { aMovingWorld, type MovingWorld, PATIENCE_MS } from "../support/moving-world.ts";
import { requires } from "../support/requirements.ts";
import { until } from "../support/until.ts";

/** A column of the table: thirteen moves, an agent started again after each. Half a minute; on a machine that does much else, much more. */
const TABLE_MS = 600_000;

/** In the order of a move: who stands still, where, and what that moment is. */
const PHASES = [
  ["n2", "admit:before", "its process is being made ready there"],
  ["n1", "send:before", "nothing sent yet"],
  ["n1", "memory", "memory on its way"],
  ["n1", "switchover", "stands still, disks copied"],
  ["n1", "send:after", "all sent"],
  ["n2", "save:whole:before", "all there"],
  ["n1", "save:given:before", "about to be given"],
  ["n1", "save:given:after", "given"],
  ["n2", "save:taken:before", "asked to take it"],
  ["n2", "take:before", "taken, not running yet"],
  ["n2", "take:after", "runs there"],
  ["n1", "quit:before", "source about to release it"],
  ["n1", "save:left:before", "source has released it"],
] as const;
type Phase = (typeof PHASES)[number];

interface Fault {
  readonly name: string;
  readonly happens: (world: MovingWorld, vm: string) => Promise<void> | void;
  /** Whose guest it ended. */
  readonly kills?: "n1" | "n2";
  readonly restarts?: "n1" | "n2";
}

const FAULTS: readonly Fault[] = [
  { name: "kill source agent", happens: ({ n1 }) => n1.killAndStart(), restarts: "n1" },
  { name: "kill dest. agent", happens: ({ n2 }) => n2.killAndStart(), restarts: "n2" },
  { name: "kill source guest", happens: (world, vm) => world.killGuest("n1", vm), kills: "n1" },
  { name: "kill dest. guest", happens: (world, vm) => world.killGuest("n2", vm), kills: "n2" },
  { name: "cut", happens: ({ link }) => link.cut() },
  { name: "swallow forth", happens: ({ link }) => link.swallow("forth") },
  { name: "swallow back", happens: ({ link }) => link.swallow("back") },
];

/** What breaks below a hypervisor is QEMU's to show; of noop, whose guests nothing can be taken from halfway, what breaks above. */
const FAULTS_OF = { qemu: FAULTS, noop: FAULTS.filter(({ name }) => name.endsWith("agent") || name === "cut") };

const index = (boundary: Phase[1]): number => PHASES.findIndex((phase) => phase[1] === boundary);
/** All of it is there, and its source's process is not needed any more. */
const SENT = index("send:after");
const RUNS_THERE = index("take:after");

describe.each(["noop", "qemu"] as const)("%s", { timeout: TABLE_MS }, (kind) => {
  const table = new Map<string, Map<string, string>>();
  afterAll(() => console.log(toText(kind, table)));

  const runs =
    kind === "noop" || requires("a QEMU guest that moves while things break", "qemu-system-x86_64", "qemu-img");
  // Phase by phase in one world: an agent that was killed is started again, as on a node.
  describe.runIf(runs).concurrent.each(FAULTS_OF[kind])("$name", (fault) => {
    test("at each moment of a move", async () => {
      await using world = await aMovingWorld(kind);
      for (const [number, phase] of PHASES.entries()) {
        if (kind === "noop" && phase[1] === "switchover") continue;
        const vm = `vm-${number}`;
        const became = await breakAt(world, vm, phase, fault, number);
        const row = table.get(phase[2]) ?? new Map<string, string>();
        table.set(phase[2], row.set(fault.name, became));
      }
    });
  });
});

async function breakAt(world: MovingWorld, vm: string, phase: Phase, fault: Fault, number: number): Promise<string> {
  const [node, boundary, moment] = phase;
  const what = `${fault.name} when ${moment}`;
  await world.boot(vm);
  const stands = world[node].stand(boundary, vm);
  const moving = world.move(vm);
  const early = await Promise.race([stands.then(() => null), moving]);
  expect(early, `${what}: it comes to this moment`).toBeNull();
  await fault.happens(world, vm);
  if (fault.restarts !== node) world[node].go();
  await moving;
  await world.settled(vm);

  const wasLost = (fault.kills === "n1" && number < SENT) || (fault.kills === "n2" && number >= RUNS_THERE);
  const look = () => Promise.all([world.report("n1", vm), world.report("n2", vm)]);
  const runs = (seen: Awaited<ReturnType<typeof look>>) => seen.filter((each) => each?.phase === "running").length;
  // Its end is noticed a moment later.
  if (wasLost) await until(`${what}: it is known to be lost`, async () => runs(await look()) === 0, PATIENCE_MS);
  const [here, there] = await look();
  expect(runs([here, there]), `${what}: ${describePhases(here, there)}`).toBe(wasLost ? 0 : 1);
  // Where it is, and where it would be started again if it was lost.
  const home = there !== null && here?.migration?.stage === "left" ? "n2" : "n1";
  if (!wasLost) {
    expect(home === "n1" ? here?.phase : there?.phase, what).toBe("running");
    await world.countsOn(home, vm);
    const said = world.counted(vm);
    expect(said, what).toEqual(said.map((_, each) => each));
  }
  const other = home === "n1" ? "n2" : "n1";
  expect(world.remains(other, vm), `${what}: on ${other}`).toEqual([]);
  if (wasLost) expect(world.remains(home, vm), `${what}: on ${home}`).toEqual([]);
  if (home === "n1") expect(there, `${what}: no room is kept`).toBeNull();
  await world.remove(vm);
  return wasLost ? `lost, is ${home}'s` : `runs on ${home}`;
}

const describePhases = (...seen: readonly (Awaited<ReturnType<MovingWorld["report"]>> | null)[]): string =>
  seen.map((each) => (each === null ? "absent" : `${each.phase} (${each.reason})`)).join(" / ");

function toText(kind: "noop" | "qemu", table: ReadonlyMap<string, ReadonlyMap<string, string>>): string {
  const names = FAULTS_OF[kind].map(({ name }) => name);
  const width = Math.max(...PHASES.map((phase) => phase[2].length));
  const cell = (text: string, least = 18) => text.padEnd(least);
  const rows = PHASES.filter((phase) => table.has(phase[2])).map(
    (phase) => `${cell(phase[2], width)}  ${names.map((name) => cell(table.get(phase[2])?.get(name) ?? "-")).join("")}`,
  );
  return [
    `${kind}: a guest goes from n1 to n2, and in the middle …`,
    `${cell("", width)}  ${names.map((name) => cell(name)).join("")}`,
    ...rows,
  ].join("\n");
}
