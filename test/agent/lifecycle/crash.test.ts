/**
 * The agent dies at every boundary of every operation, and a new one takes over: no guest runs twice, none is lost, and
 * asking again brings the job to its end. Here in one process and deterministic; `kill.test.ts` does it with SIGKILL.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import type { Lifecycle } from "../../../src/agent/lifecycle/lifecycle.ts";
import { createLifecycle } from "../../../src/agent/lifecycle/service.ts";
import { diskStorage } from "../../../src/agent/storage/disk-storage.ts";
import { openVmStore } from "../../../src/agent/store/vm-store.ts";
import {
  createInMemorySupervisor,
  ProcessTable,
} from "../../../src/agent/supervisor/in-memory/in-memory-supervisor.ts";
import { nodeName, vmName } from "../../../src/model/names.ts";
import type { OperationArgs, OperationRequest, OperationResult } from "../../../src/wire/operations.ts";
import { aClock } from "../../support/a-clock.ts";
import { aSpec, NEVER, withProcess } from "../../support/an-agent.ts";
import { Mortality, mortal } from "../../support/mortal-parts.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";
import { aPut } from "../../support/wire-builders.ts";

const WEB = vmName("web-1");

type Ask = ({ readonly kind: "put"; readonly cpus: number } | OperationArgs) & { readonly id: string };

/** One node whose agent can die. */
async function aWorld(options: { readonly processes: boolean; readonly restartEveryMs?: number }) {
  const folder = await aTempFolder({ inMemory: true });
  const clock = aClock();
  const processes = new ProcessTable("boot-1");
  const folders = { dataFolder: join(folder.path, "d"), runFolder: join(folder.path, "r") };
  const allowed = join(folder.path, "allowed");
  await mkdir(allowed);
  const { restartEveryMs = 3_600_000 } = options;
  const noop = createNoopHypervisor({ clock });
  const agents: Lifecycle[] = [];
  let generation = 0;
  const starts = { count: 0 };
  const spawn = processes.spawn.bind(processes);
  processes.spawn = (...args) => {
    starts.count++;
    return spawn(...args);
  };

  return {
    processes,
    starts,
    clock,
    /** As `kill -9` of the guest's process. */
    crash(): void {
      for (const { pid } of processes.running()) processes.end(pid, { code: null, signal: "SIGKILL" });
    },
    allowed,
    async open(mortality: Mortality): Promise<Lifecycle | null> {
      const parts = mortal(
        {
          store: await openVmStore(folders),
          storage: diskStorage,
          supervisor: createInMemorySupervisor(processes),
          hypervisors: [options.processes ? withProcess(noop) : noop],
        },
        mortality.at,
      );
      const node = { name: nodeName("n1"), id: "id", agentVersion: "0", bootId: "boot-1" };
      const capacity = { cpus: 1, memoryMiB: 1 };
      const opening = createLifecycle({
        ...{ node, capacity, clock, restartEveryMs, allowedRoots: [allowed] },
        ...folders,
        ...parts,
        // One that is dead does nothing by and by.
        history: NO_HISTORY,
      });
      const agent = await Promise.race([opening, mortality.death.then(() => null)]);
      if (agent) agents.push(agent);
      return agent;
    },
    /** Null: the agent died before it answered. */
    async ask(agent: Lifecycle, mortality: Mortality, ask: Ask): Promise<OperationResult | { code: string } | null> {
      if (ask.kind === "put") generation++;
      const request = { expect: null, ...ask, ...placeOf(allowed, ask) } as OperationRequest;
      const put = aPut({
        id: ask.id,
        generation,
        spec: aSpec({ cpus: { count: "cpus" in ask ? (ask.cpus ?? 1) : 1, max: 4 } }),
      });
      const asked = ask.kind === "put" ? agent.putVm(WEB, put, NEVER) : agent.operate(WEB, request, NEVER);
      const answer = asked.catch((error: { code: string }) => ({ code: error.code }));
      return Promise.race([answer, mortality.death.then(() => null)]);
    },
    again(): void {
      generation--;
    },
    async [Symbol.asyncDispose]() {
      for (const agent of agents) void agent[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const NO_HISTORY = { all: () => [], note: () => {}, async [Symbol.asyncDispose]() {} };

/** Each try writes to a place of its own. */
const placeOf = (root: string, ask: Ask) =>
  ask.kind === "snapshot"
    ? { folder: join(root, ask.id) }
    : ask.kind === "coredump"
      ? { file: join(root, ask.id) }
      : {};

const EXTRA = { name: "extra", origin: { kind: "blank", sizeMiB: 1 }, readonly: false } as const;

const SCRIPT: readonly Ask[] = [
  { kind: "put", cpus: 1, id: "1" },
  { kind: "boot", id: "2" },
  { kind: "put", cpus: 3, id: "3" },
  { kind: "pause", id: "4" },
  { kind: "resume", id: "5" },
  { kind: "resize", cpus: 2, memoryMiB: null, balloonMiB: null, disk: null, id: "resize" },
  { kind: "attach", device: { list: "disks", disk: EXTRA }, id: "attach" },
  { kind: "detach", device: { list: "disks", name: EXTRA.name }, id: "detach" },
  { kind: "nmi", id: "nmi" },
  { kind: "snapshot", folder: "", id: "snapshot" },
  { kind: "coredump", file: "", id: "coredump" },
  { kind: "power-button", id: "button" },
  { kind: "migrate-receive", url: null, id: "receive" },
  { kind: "shutdown", graceSeconds: 1, id: "no longer" },
  { kind: "boot", id: "boot again" },
  { kind: "reboot", graceSeconds: 1, id: "6" },
  { kind: "shutdown", graceSeconds: 1, id: "7" },
  { kind: "boot", id: "8" },
  { kind: "delete", graceSeconds: 1, id: "9" },
  { kind: "put", cpus: 2, id: "10" },
  { kind: "boot", id: "11" },
  { kind: "delete", graceSeconds: 0, id: "12" },
  { kind: "purge", id: "13" },
];

const STARTS: readonly Ask["kind"][] = ["boot", "reboot", "migrate-receive"];
/** Phases with a process; `starting` is one that waits for a guest. */
const IS_THERE = new Set(["running", "paused", "starting"]);

const isDoneAlready = (step: Ask, result: OperationResult | { code: string } | null): boolean =>
  result !== null &&
  "code" in result &&
  ((step.kind === "detach" && result.code === "NOT_FOUND") ||
    (step.kind === "power-button" && result.code === "WRONG_PHASE"));

const becomesOff = (agent: Lifecycle, mortality: Mortality) =>
  Promise.race([until("it is off", async () => (await agent.vm(WEB, NEVER)).phase === "stopped"), mortality.death]);

test.concurrent.each([{ processes: true }, { processes: false }])(
  "whatever boundary the agent dies at, the next one finds what is the case ($processes)",
  async (options) => {
    let boundaries = 0;
    let deaths = 0;
    const seen = new Set<string>();
    for (let dieAt = 1; ; dieAt++) {
      await using world = await aWorld(options);
      const mortality = new Mortality();
      mortality.dieAt = dieAt;
      let agent = (await world.open(mortality)) as Lifecycle;
      let alive = mortality;
      const starting = new Set<string>();
      for (const step of SCRIPT) {
        if (STARTS.includes(step.kind)) starting.add(step.id);
        let result = await world.ask(agent, alive, step);
        if (result === null) {
          deaths++;
          seen.add(mortality.passed.at(-1) as string);
          alive = new Mortality();
          agent = (await world.open(alive)) as Lifecycle;
          const running = world.processes.running().length;
          expect(running, `after death at ${mortality.passed.at(-1)} in ${step.kind}`).toBeLessThanOrEqual(1);
          const report = await agent.report(NEVER);
          const vm = report.vms[0];
          // What the agent says is what is the case.
          if (options.processes && vm) expect(IS_THERE.has(vm.phase)).toBe(running === 1);
          // The same id: done, or told that it was cut short; then a new try finishes the job.
          if (step.kind === "put") world.again();
          result = await world.ask(agent, alive, step);
          if (result && "outcome" in result && result.error?.code === "OPERATION_INTERRUPTED") {
            starting.add(`${step.id}-again`);
            if (step.kind === "reboot" && vm?.phase === "stopped")
              result = await world.ask(agent, alive, { kind: "boot", id: "again" });
            else result = await world.ask(agent, alive, { ...step, id: `${step.id}-again` });
          }
          // Done before the death, so there is nothing left to do.
          if (isDoneAlready(step, result)) result = { outcome: "done" } as OperationResult;
          // Purged before the answer: nothing is left that could remember it.
          if (step.kind === "purge" && result && "code" in result) result = { outcome: "done" } as OperationResult;
        }
        expect(result, `${step.kind} with death at ${dieAt} (${mortality.passed.at(-1)})`).toMatchObject({
          outcome: "done",
        });
        if (step.kind === "power-button") await becomesOff(agent, alive);
        expect(world.processes.running().length).toBeLessThanOrEqual(1);
      }
      // Asked twice, done once: no id ever started two guests.
      if (options.processes) expect(world.starts.count).toBeLessThanOrEqual(starting.size);
      const end = await agent.report(NEVER);
      expect(end).toMatchObject({ vms: [], tombstones: [], unfinished: [] });
      expect(world.processes.running()).toEqual([]);
      boundaries = mortality.passed.length;
      if (dieAt > boundaries) break;
    }
    // The matrix must have been one: every kind of boundary was a place of death.
    expect(deaths).toBe(boundaries);
    expect(deaths).toBeGreaterThan(40);
    for (const place of [
      "store.save:before",
      "store.save:after",
      "storage.ensure:after",
      "connect:after:fresh",
      "guest.update:after",
      "guest.powerButton:after",
      "store.remove:before",
    ])
      expect(seen).toContain(place);
    if (options.processes) expect(seen).toContain("supervisor.start:after");
  },
);

test("whatever boundary of a start that is its own idea the agent dies at, the next one goes on, and starts one guest", async () => {
  const seen = new Set<string>();
  for (let dieAt = 1; ; dieAt++) {
    await using world = await aWorld({ processes: true, restartEveryMs: 1 });
    let alive = new Mortality();
    let agent = (await world.open(alive)) as Lifecycle;
    for (const step of SCRIPT.slice(0, 2)) await world.ask(agent, alive, step);
    alive.dieAt = alive.passed.length + dieAt;
    const before = alive.passed.length;
    world.crash();
    const isUp = async () => {
      world.clock.advance(1000);
      const { phase, restart } = await agent.vm(WEB, NEVER);
      return phase === "running" && restart?.attempts === 1;
    };
    const isBack = until("it is started again", isUp).then(() =>
      // In its queue behind the start: when this is answered, that has ended.
      world.ask(agent, alive, { kind: "boot", id: "it runs" }),
    );
    const isDead = await Promise.race([isBack.then(() => false), alive.death.then(() => true)]);
    if (!isDead) {
      expect(alive.passed.length - before).toBeLessThan(dieAt);
      break;
    }
    isBack.catch(() => {});
    seen.add(alive.passed.at(-1) as string);
    alive = new Mortality();
    agent = (await world.open(alive)) as Lifecycle;
    await until("the next agent starts it", async () => {
      world.clock.advance(1000);
      expect(world.processes.running().length).toBeLessThanOrEqual(1);
      const vm = await agent.vm(WEB, NEVER);
      return vm.phase === "running" && world.processes.running().length === 1;
    });
    // An operator's word is the last.
    await world.ask(agent, alive, { kind: "shutdown", graceSeconds: 0, id: "enough" });
    world.clock.advance(3_600_000);
    await agent.report(NEVER);
    expect(world.processes.running()).toEqual([]);
  }
  for (const place of ["store.save:before", "supervisor.start:before", "supervisor.start:after", "connect:after:fresh"])
    expect(seen).toContain(place);
});

test("property: random requests, random deaths: never two processes, nothing forgotten, serials only rise", async () => {
  const anyAsk = fc.oneof(
    fc.record({ kind: fc.constant("put" as const), cpus: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constantFrom("boot", "pause", "resume", "purge") }),
    fc.record({ kind: fc.constantFrom("shutdown", "reboot", "delete"), graceSeconds: fc.constantFrom(0, 1) }),
    fc.constantFrom({ kind: "killed" as const }, { kind: "time passes" as const }),
    fc.constantFrom(
      { kind: "power-button" as const },
      { kind: "resize" as const, cpus: 2, memoryMiB: null, balloonMiB: null, disk: null },
      { kind: "attach" as const, device: { list: "disks" as const, disk: EXTRA } },
      { kind: "detach" as const, device: { list: "disks" as const, name: EXTRA.name } },
      { kind: "snapshot" as const, folder: "" },
      { kind: "migrate-receive" as const, url: null },
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ ask: anyAsk, dieAfter: fc.option(fc.integer({ min: 1, max: 12 })) }), {
        minLength: 3,
        maxLength: 12,
      }),
      fc.boolean(),
      async (steps, processes) => {
        await using world = await aWorld({ processes, restartEveryMs: 1 });
        /** What an operator said last of whether it should run. */
        let wanted = false;
        let alive = new Mortality();
        let agent = (await world.open(alive)) as Lifecycle;
        let serial = 0;
        let known = false;
        let startsAllowed = 0;
        const first = { ask: { kind: "put" as const, cpus: 1 }, dieAfter: null };
        for (const [index, { ask, dieAfter }] of [first, ...steps].entries()) {
          if (ask.kind === "killed") {
            world.crash();
            // It may be started again before anybody asks for anything.
            startsAllowed++;
            continue;
          }
          if (ask.kind === "time passes") {
            world.clock.advance(300_000);
            startsAllowed++;
            continue;
          }
          const step = { ...ask, id: `s${index}` } as Ask;
          if (STARTS.includes(step.kind)) startsAllowed++;
          if (STARTS.includes(step.kind)) wanted = true;
          alive.dieAt = dieAfter === null ? Number.POSITIVE_INFINITY : alive.passed.length + dieAfter;
          let result = await world.ask(agent, alive, step);
          alive.dieAt = alive.passed.length >= alive.dieAt ? alive.dieAt : Number.POSITIVE_INFINITY;
          if (result === null || alive.dieAt !== Number.POSITIVE_INFINITY) {
            alive = new Mortality();
            agent = (await world.open(alive)) as Lifecycle;
            if (step.kind === "put") world.again();
            const first = result;
            result = await world.ask(agent, alive, step);
            // Answered before the death: the answer still holds.
            if (first && "outcome" in first && step.kind !== "purge" && !first.noop)
              expect(result).toMatchObject({ outcome: first.outcome });
          }
          if (["shutdown", "delete"].includes(step.kind) && result && "outcome" in result && result.outcome === "done")
            wanted = false;
          if (step.kind === "power-button" && result && "outcome" in result && result.outcome === "done") {
            await becomesOff(agent, alive);
            wanted = false;
          }
          expect(world.processes.running().length).toBeLessThanOrEqual(1);
          expect(world.starts.count).toBeLessThanOrEqual(startsAllowed);
          // No operator's end is undone, and nothing runs that nobody wants.
          if (!wanted) expect(world.processes.running()).toEqual([]);
          const report = await agent.report(NEVER);
          const here = report.vms[0] ?? report.tombstones[0];
          if (step.kind === "put" && result && "outcome" in result) known = true;
          if (step.kind === "purge") known = here !== undefined;
          expect(here !== undefined).toBe(known);
          expect(report.unreadable).toBeUndefined();
          if (here && step.kind !== "purge") {
            expect(here.serial).toBeGreaterThanOrEqual(serial);
            serial = here.serial;
          } else serial = 0;
          const vm = report.vms[0];
          // While it is started again, or dies, the two are a moment apart.
          if (processes && vm)
            await until("what is said is what is the case", async () => {
              const phase = (await agent.vm(WEB, NEVER)).phase;
              return IS_THERE.has(phase) === (world.processes.running().length === 1);
            });
        }
      },
    ),
    { numRuns: Number(process.env.ODOROBO_CRASH_RUNS ?? 250) },
  );
});
