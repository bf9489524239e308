/**
 * The agent dies at every boundary of every operation, and a new one takes over: no guest runs twice, none is lost, and
 * asking again brings the job to its end. Here in one process and deterministic; `kill.test.ts` does it with SIGKILL.
 */
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
import { aPut } from "../../support/wire-builders.ts";

const WEB = vmName("web-1");

type Ask = ({ readonly kind: "put"; readonly cpus: number } | OperationArgs) & { readonly id: string };

/** One node whose agent can die. */
async function aWorld(options: { readonly processes: boolean }) {
  const folder = await aTempFolder({ inMemory: true });
  const clock = aClock();
  const processes = new ProcessTable("boot-1");
  const folders = { dataFolder: join(folder.path, "d"), runFolder: join(folder.path, "r") };
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
      const opening = createLifecycle({ node, capacity, clock, ...folders, ...parts });
      const agent = await Promise.race([opening, mortality.death.then(() => null)]);
      if (agent) agents.push(agent);
      return agent;
    },
    /** Null: the agent died before it answered. */
    async ask(agent: Lifecycle, mortality: Mortality, ask: Ask): Promise<OperationResult | { code: string } | null> {
      if (ask.kind === "put") generation++;
      const request = { expect: null, ...ask } as OperationRequest;
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

const SCRIPT: readonly Ask[] = [
  { kind: "put", cpus: 1, id: "1" },
  { kind: "boot", id: "2" },
  { kind: "put", cpus: 3, id: "3" },
  { kind: "pause", id: "4" },
  { kind: "resume", id: "5" },
  { kind: "reboot", graceSeconds: 1, id: "6" },
  { kind: "shutdown", graceSeconds: 1, id: "7" },
  { kind: "boot", id: "8" },
  { kind: "delete", graceSeconds: 1, id: "9" },
  { kind: "put", cpus: 2, id: "10" },
  { kind: "boot", id: "11" },
  { kind: "delete", graceSeconds: 0, id: "12" },
  { kind: "purge", id: "13" },
];

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
        if (step.kind === "boot" || step.kind === "reboot") starting.add(step.id);
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
          if (options.processes && vm) expect(vm.phase === "running" || vm.phase === "paused").toBe(running === 1);
          // The same id: done, or told that it was cut short; then a new try finishes the job.
          if (step.kind === "put") world.again();
          result = await world.ask(agent, alive, step);
          if (result && "outcome" in result && result.error?.code === "OPERATION_INTERRUPTED") {
            starting.add(`${step.id}-again`);
            if (step.kind === "reboot" && vm?.phase === "stopped")
              result = await world.ask(agent, alive, { kind: "boot", id: "again" });
            else result = await world.ask(agent, alive, { ...step, id: `${step.id}-again` });
          }
          // Purged before the answer: nothing is left that could remember it.
          if (step.kind === "purge" && result && "code" in result) result = { outcome: "done" } as OperationResult;
        }
        expect(result, `${step.kind} with death at ${dieAt} (${mortality.passed.at(-1)})`).toMatchObject({
          outcome: "done",
        });
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

test("property: random requests, random deaths: never two processes, nothing forgotten, serials only rise", async () => {
  const anyAsk = fc.oneof(
    fc.record({ kind: fc.constant("put" as const), cpus: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constantFrom("boot", "pause", "resume", "purge") }),
    fc.record({ kind: fc.constantFrom("shutdown", "reboot", "delete"), graceSeconds: fc.constantFrom(0, 1) }),
    fc.constant({ kind: "killed" as const }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ ask: anyAsk, dieAfter: fc.option(fc.integer({ min: 1, max: 12 })) }), {
        minLength: 3,
        maxLength: 12,
      }),
      fc.boolean(),
      async (steps, processes) => {
        await using world = await aWorld({ processes });
        let alive = new Mortality();
        let agent = (await world.open(alive)) as Lifecycle;
        let serial = 0;
        let known = false;
        let startsAllowed = 0;
        const first = { ask: { kind: "put" as const, cpus: 1 }, dieAfter: null };
        for (const [index, { ask, dieAfter }] of [first, ...steps].entries()) {
          if (ask.kind === "killed") {
            const victim = world.processes.running()[0];
            if (victim) world.processes.end(victim.pid, { code: null, signal: "SIGKILL" });
            continue;
          }
          const step = { ...ask, id: `s${index}` } as Ask;
          if (step.kind === "boot" || step.kind === "reboot") startsAllowed++;
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
          const running = world.processes.running().length;
          expect(running).toBeLessThanOrEqual(1);
          expect(world.starts.count).toBeLessThanOrEqual(startsAllowed);
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
          if (processes && vm)
            expect(vm.phase === "running" || vm.phase === "paused").toBe(world.processes.running().length === 1);
        }
      },
    ),
    { numRuns: Number(process.env.ODOROBO_CRASH_RUNS ?? 250) },
  );
}, 60_000);
