/**
 * One apply with a step of every kind, and what must be the case when it is done, however often it was cut short:
 *
 *   upd   more cpus, live        mem   more memory: a reboot       off   is to be off: shut down
 *   gone  its manifest is gone   rep   has to go, or be replaced   new   did not exist
 */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { Outcome } from "./run-odorobo.ts";
import { bootsIn, type SystemAgent } from "./system-agent.ts";
import { watchForDoubles } from "./system-doubles.ts";
import type { SystemWorld } from "./system-world.ts";
import { until } from "./until.ts";

/** update · update, reboot · shutdown, update · delete · migrate (noop), delete, create, boot (QEMU) · create, boot */
export const STEPS = { noop: 9, qemu: 11 } as const;
/** As the progress prints it when the k-th step has ended. */
export const boundary = (k: number, hypervisor: keyof typeof STEPS): string => {
  const total = String(STEPS[hypervisor]);
  return `[${String(k).padStart(total.length)}/${total}] `;
};
/** Those after which there is something left to do. */
export const boundaries = (hypervisor: keyof typeof STEPS): readonly number[] =>
  Array.from({ length: STEPS[hypervisor] - 1 }, (_, index) => index + 1);

export interface Scenario extends Disposable {
  /** Changes the manifests to what is to be. Its VMs were applied as they were written first. */
  change(): Promise<void>;
  /** Arguments of the apply that is to be cut short; and without its last two, as fast as can be. */
  readonly apply: readonly string[];
  /** All is as it should be, nothing lost, nothing ever twice. `mayBootAgain`: see `expectBoots`. */
  expectDone(options: { readonly mayBootAgain: boolean }): Promise<void>;
}

const DISK = "disks: [ { name: data, size: 16MiB } ]";
const ON_N1 = "placement: { node: n1 }";
const PRECIOUS = "precious";

/** The agents that scenarios need, and defaults to match. */
export async function agentsFor(world: SystemWorld, hypervisor: "noop" | "qemu"): Promise<SystemAgent[]> {
  // All scenarios of a world together delete more than one may by mistake.
  await world.defaults({ hypervisor, policy: ["policy: { destroyGuard: { count: 1000 } }"] });
  if (hypervisor === "qemu") return [await world.agent("n1", { hypervisors: ["qemu", "noop"] })];
  return await Promise.all([world.agent("n1"), world.agent("n2")]);
}

/**
 * Writes the manifests as they were before. With noop `rep` moves to another node; with QEMU it changes its hypervisor.
 * `set`: a word before the names of its VMs, as several scenarios may share a world.
 */
export async function aScenario(
  world: SystemWorld,
  agents: readonly SystemAgent[],
  hypervisor: "noop" | "qemu",
  set = "a",
): Promise<Scenario> {
  const isReal = hypervisor === "qemu";
  const n1 = agents[0] as SystemAgent;
  const home = agents[1] ?? n1;
  const named = (vm: string) => `${set}-${vm}`;
  const write = (vm: string, ...spec: string[]) => world.vm(named(vm), spec);
  const doubles = watchForDoubles(world.scratch, agents);
  let disks: Awaited<ReturnType<typeof aDiskToKeep>>[] = [];
  let updPid: number | null = null;

  await write("upd", ON_N1, "cpus: { count: 1, max: 2 }");
  for (const vm of ["mem", "off", "gone"]) await write(vm, ON_N1, DISK);
  await write("rep", ON_N1, ...(isReal ? ["hypervisor: noop"] : []));
  return {
    async change() {
      disks = await Promise.all(["mem", "off", "gone"].map((vm) => aDiskToKeep(n1, named(vm), isReal)));
      updPid = (await n1.vm(named("upd"))).pid;
      await write("upd", ON_N1, "cpus: { count: 2, max: 2 }");
      await write("mem", ON_N1, DISK, "memory: 96MiB");
      await write("off", ON_N1, DISK, "runStrategy: Stopped");
      await world.remove(`vms/${named("gone")}.yaml`);
      await write("rep", isReal ? ON_N1 : "placement: { node: n2 }");
      await write("new", ON_N1, DISK);
    },
    apply: ["apply", world.fleet, "--yes", "--target", `${set}-*`, "--max-class", "destroy", "--parallelism", "1"],
    async expectDone({ mayBootAgain }) {
      const vm = (name: string) => n1.vm(named(name));
      expect(await vm("upd")).toMatchObject({ phase: "running", live: { cpus: { count: 2 } }, pid: updPid });
      expect(await vm("mem")).toMatchObject({ phase: "running", live: { memory: { sizeMiB: 96 } } });
      expect(await vm("off")).toMatchObject({ phase: "stopped", endedBy: "operator" });
      expect(await vm("new")).toMatchObject({ phase: "running" });
      expect(await home.vm(named("rep"))).toMatchObject({ phase: "running", spec: { hypervisor } });
      const report = await n1.report();
      const ours = (list: readonly { readonly name: string }[]) =>
        list.map(({ name }) => name).filter((name) => name.startsWith(`${set}-`));
      expect(ours(report.vms)).toEqual(["mem", "new", "off", "rep", "upd"].map(named));
      // What moved has left its record behind, and nothing else.
      if (!isReal)
        expect(await vm("rep")).toMatchObject({ phase: "stopped", migration: { stage: "left", peer: "n2" } });
      expect(ours(report.tombstones)).toEqual(["gone"].map(named));
      for (const disk of disks) await disk.expectKept();
      const more = mayBootAgain ? 1 : 0;
      for (const [name, least, most] of [
        ["upd", 1, 1],
        ["off", 1, 1],
        ["gone", 1, 1],
        ["mem", 2, 2 + more],
        ["new", 1, 1 + more],
      ] as const)
        await expectBoots(n1, named(name), least, most);
      expect([...doubles.seen]).toEqual([]);
      expect(doubles.looks()).toBeGreaterThan(5);
    },
    [Symbol.dispose]: () => doubles[Symbol.dispose](),
  };
}

/** Whatever the applies that were cut short have left, of all scenarios of a world. */
export const applyTheRest = (world: SystemWorld): Promise<Outcome> =>
  expectCode(world.cli("apply", world.fleet, "--yes", "--max-class", "destroy"), 0);

/** Right after an apply there is nothing to do. */
export async function expectNothingToDo(world: SystemWorld): Promise<void> {
  const plan = await expectCode(world.cli("plan", world.fleet, "--detailed-exitcode"), 0);
  expect(plan.stdout).toMatch(/^Nothing to do: /);
}

export async function expectCode(ended: Promise<Outcome>, code: number): Promise<Outcome> {
  const outcome = await ended;
  expect(outcome, outcome.stdout + outcome.stderr).toMatchObject({ code });
  return outcome;
}

/** What was begun is finished without anybody waiting for it. */
export const untilSettled = (agents: readonly SystemAgent[]): Promise<void> =>
  until(
    "the agents have finished what they began",
    async () =>
      (await Promise.all(agents.map((agent) => agent.report()))).every((report) => report.unfinished.length === 0),
    30_000,
  );

/** One more is possible where the agent died in the middle of a boot: what had begun to run is ended, and begun anew. */
async function expectBoots(agent: SystemAgent, vm: string, least: number, most: number): Promise<void> {
  const boots = bootsIn(await agent.serial(vm));
  expect(boots, `boots of ${vm}`).toBeGreaterThanOrEqual(least);
  expect(boots, `boots of ${vm}`).toBeLessThanOrEqual(most);
}

async function aDiskToKeep(agent: SystemAgent, vm: string, isReal: boolean) {
  const file = join(agent.dataFolder, "vms", vm, "disks", isReal ? "data.raw" : "data.raw.placeholder");
  if (isReal) await writeFile(file, PRECIOUS, { flag: "r+" });
  const { ino } = await stat(file);
  const read = async () => (await readFile(file)).subarray(0, 64).toString();
  const content = await read();
  return {
    async expectKept() {
      expect(await stat(file), file).toMatchObject({ ino });
      expect(await read(), file).toBe(content);
    },
  };
}
