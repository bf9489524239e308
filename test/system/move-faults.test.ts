/**
 * Whatever breaks at whatever moment of a move: the guest has exactly one home afterwards, what it counts goes on without a number lost or said twice
 * where it survived, and nothing of it is left on the other side. The table of what became of it is printed.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aMovingWorld, type MovingWorld, PATIENCE_MS } from "../support/moving-world.ts";
import { requires } from "../support/requirements.ts";
import { until } from "../support/until.ts";

/** Of one hypervisor. Some ten seconds; on a machine that does much else, much more. */
const TABLE_MS = 600_000;

/** In the order of a move: who stands still, where, and what that moment is. */
const PHASES = [
  ["n2", "admit:before", "its process is being made ready there"],
  ["n1", "send:before", "nothing sent yet"],
  ["n1", "memory", "memory on its way"],
  ["n1", "switchover", "stands still, disks copied"],
  ["n1", "freeze:before", "all sent, not frozen"],
  ["n1", "freeze:after", "frozen"],
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
  /** To all that stand still, at once. */
  readonly happens: (world: MovingWorld, vms: readonly string[]) => Promise<void> | void;
  /** Whose guest it ended. */
  readonly kills?: "n1" | "n2";
  readonly restarts?: "n1" | "n2";
}

const FAULTS: readonly Fault[] = [
  { name: "kill source agent", happens: ({ n1 }) => n1.killAndStart(), restarts: "n1" },
  { name: "kill dest. agent", happens: ({ n2 }) => n2.killAndStart(), restarts: "n2" },
  { name: "kill source guest", happens: (world, vms) => killGuests(world, "n1", vms), kills: "n1" },
  { name: "kill dest. guest", happens: (world, vms) => killGuests(world, "n2", vms), kills: "n2" },
  { name: "cut", happens: ({ link }) => link.cut() },
  { name: "swallow forth", happens: ({ link }) => link.swallow("forth") },
  { name: "swallow back", happens: ({ link }) => link.swallow("back") },
];

function killGuests(world: MovingWorld, node: "n1" | "n2", vms: readonly string[]): void {
  for (const vm of vms) world.killGuest(node, vm);
}

/** Releases of Cloud Hypervisor that go about a move in another way each: deaf and mute while they send, and sending in the background. */
const KINDS = ["noop", "qemu", "cloud-hypervisor 50.0", "cloud-hypervisor 54.0"] as const;
type Kind = (typeof KINDS)[number];
const isCloudHypervisor = (kind: Kind): boolean => kind !== "noop" && kind !== "qemu";

/**
 * What breaks below a hypervisor is not noop's to show, whose guests nothing can be taken from halfway: of that, what breaks above. A link that
 * swallows is the same for every release.
 */
function faultsOf(kind: Kind): readonly Fault[] {
  if (kind === "noop") return FAULTS.filter(({ name }) => name.endsWith("agent") || name === "cut");
  return kind === "cloud-hypervisor 50.0" ? FAULTS.filter(({ name }) => !name.startsWith("swallow")) : FAULTS;
}

function phasesOf(kind: Kind): readonly Phase[] {
  return PHASES.filter(([, boundary]) => {
    if (boundary === "switchover") return kind === "qemu";
    return !boundary.startsWith("freeze") || isCloudHypervisor(kind);
  });
}

const index = (boundary: Phase[1]): number => PHASES.findIndex((phase) => phase[1] === boundary);
/** All of it is there, and its source's process is not needed any more. */
const sentIn = (kind: Kind): number => index(isCloudHypervisor(kind) ? "freeze:before" : "send:after");
const RUNS_THERE = index("take:after");

describe.each(KINDS)("%s", { timeout: TABLE_MS }, (kind) => {
  const table = new Map<string, Map<string, string>>();
  let world: MovingWorld;
  beforeAll(async () => {
    if (runs) world = await aMovingWorld(kind);
  }, TABLE_MS);
  afterAll(async () => {
    if (runs) await world[Symbol.asyncDispose]();
    console.log(toText(kind, table));
  }, TABLE_MS);

  const runs =
    kind !== "qemu" || requires("a QEMU guest that moves while things break", "qemu-system-x86_64", "qemu-img");
  // One guest for each moment, all of them standing still in it when the same happens to all of them.
  test.runIf(runs).each(faultsOf(kind))("$name, at each moment of a move", async (fault) => {
    const moves = phasesOf(kind).map((phase) => ({
      phase,
      vm: `${fault.name.replaceAll(/[ .]+/g, "-")}-${index(phase[1])}`,
    }));
    await Promise.all(moves.map(({ vm }) => world.boot(vm)));
    const ended = await Promise.all(moves.map(({ phase, vm }) => moveUpTo(world, phase, vm, fault)));
    await fault.happens(
      world,
      moves.map(({ vm }) => vm),
    );
    for (const node of ["n1", "n2"] as const) if (fault.restarts !== node) world[node].go();
    await Promise.all(ended.map(({ moving }) => moving));
    await world.settled();
    for (const { phase, vm } of moves) {
      const became = await lookAt(world, kind, vm, phase, fault);
      const row = table.get(phase[2]) ?? new Map<string, string>();
      table.set(phase[2], row.set(fault.name, became));
    }
    await Promise.all(moves.map(({ vm }) => world.remove(vm)));
  });
});

/** Resolves when it stands still there. */
async function moveUpTo(world: MovingWorld, [node, boundary, moment]: Phase, vm: string, fault: Fault) {
  const stands = world[node].stand(boundary, vm);
  const moving = world.move(vm);
  const early = await Promise.race([stands.then(() => null), moving]);
  expect(early, `${fault.name} when ${moment}: it comes to this moment`).toBeNull();
  return { moving };
}

async function lookAt(world: MovingWorld, kind: Kind, vm: string, phase: Phase, fault: Fault): Promise<string> {
  const number = index(phase[1]);
  const what = `${fault.name} when ${phase[2]}`;
  const wasLost = (fault.kills === "n1" && number < sentIn(kind)) || (fault.kills === "n2" && number >= RUNS_THERE);
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
    expectCounted(world.counted(vm), kind, fault, what);
  }
  const other = home === "n1" ? "n2" : "n1";
  expect(world.remains(other, vm), `${what}: on ${other}`).toEqual([]);
  if (wasLost) expect(world.remains(home, vm), `${what}: on ${home}`).toEqual([]);
  if (home === "n1") expect(there, `${what}: no room is kept`).toBeNull();
  return wasLost ? `lost, is ${home}'s` : `runs on ${home}`;
}

/** Nothing is said twice, and nothing is missing; but what an agent had read and not written down when it was killed, where it keeps the line itself. */
function expectCounted(said: readonly number[], kind: Kind, fault: Fault, what: string): void {
  if (fault.restarts === undefined || !isCloudHypervisor(kind)) expect(said, what).toEqual(said.map((_, each) => each));
  const gaps = said.filter((each, at) => at > 0 && each !== (said[at - 1] ?? 0) + 1);
  expect(gaps.length, `${what}: ${said.join(" ")}`).toBeLessThanOrEqual(1);
  expect(said, what).toEqual([...new Set(said)].sort((a, b) => a - b));
}

const describePhases = (...seen: readonly (Awaited<ReturnType<MovingWorld["report"]>> | null)[]): string =>
  seen.map((each) => (each === null ? "absent" : `${each.phase} (${each.reason})`)).join(" / ");

function toText(kind: Kind, table: ReadonlyMap<string, ReadonlyMap<string, string>>): string {
  const names = faultsOf(kind).map(({ name }) => name);
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
