/** kill -9 of the agents at every step boundary of an apply, and anywhere inside of steps: the next apply finishes the job. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import { requires } from "../support/requirements.ts";
import type { Running } from "../support/run-odorobo.ts";
import type { SystemAgent } from "../support/system-agent.ts";
import {
  agentsFor,
  applyTheRest,
  aScenario,
  boundaries,
  boundary,
  expectCode,
  expectNothingToDo,
  type Scenario,
} from "../support/system-scenario.ts";
import { PATIENT, type SystemWorld, systemTest } from "../support/system-world.ts";
import { WHOLE_MATRIX } from "../support/whole-matrix.ts";

const WITH_QEMU = requires(
  "agents killed while they carry out an apply with real guests",
  "qemu-system-x86_64",
  "qemu-img",
);
type Guests = "noop" | "qemu";
const GUESTS: readonly Guests[] = WITH_QEMU ? ["qemu", "noop"] : ["noop"];
/** What is the same whatever the guests are, and takes long. */
const IS_WHOLE = (guests: Guests) => WHOLE_MATRIX || guests === "noop";

describe.concurrent.each(GUESTS)("agents with %s", PATIENT, (hypervisor) => {
  /**
   * One world for all boundaries: a set of VMs for each, whose apply is cut short there. In every second case as when the power
   * fails: nobody is left who remembers. What is left then is done by the applies that follow, while agents still recover.
   */
  systemTest("killed after each step but the last, also with who applies", async ({ world }) => {
    const agents = await agentsFor(world, hypervisor);
    using scenarios = new DisposableStack();
    const sets = new Map<number, Scenario>();
    for (const k of boundaries(hypervisor))
      sets.set(k, scenarios.use(await aScenario(world, agents, hypervisor, `k${k}`)));
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
    for (const [k, scenario] of sets) {
      const dies = k % 2 === 0;
      await scenario.change();
      const apply = world.start(...scenario.apply);
      await apply.waitFor("stderr", boundary(k, hypervisor));
      if (dies) apply.child.kill("SIGKILL");
      const killed = performance.now();
      await kill(agents);
      await start(agents);
      const wasBackInTime = performance.now() - killed < WAITS_FOR_AGENTS_MS;
      const { code, stdout, stderr } = await apply.ended;
      expect(stderr).not.toMatch(STACK_TRACE);
      // Who waits for an agent that comes back carries on; what was cut short in its middle fails with a reason.
      if (code === 1)
        expect(stdout).toMatch(
          wasBackInTime
            ? /\n {2}failed {2}\w.* (on|from) n1.*: .*\((OPERATION_INTERRUPTED|MIGRATION_FAILED)\)\n {10}hint: /
            : /\n {2}failed {2}\w.* (on|from) n1.*: .*\((OPERATION_INTERRUPTED|MIGRATION_FAILED|AGENT_UNREACHABLE)\)\n {10}hint: /,
        );
      else expect(code, stdout + stderr).toBe(dies ? null : 0);
    }
    await applyTheRest(world);
    for (const scenario of sets.values()) await scenario.expectDone({ mayBootAgain: true });
    await expectNothingToDo(world);
  });

  systemTest.runIf(IS_WHOLE(hypervisor))(
    "killed and not coming back: apply gives up and names the step",
    async ({ world }) => {
      using run = await begin(world, hypervisor);
      await run.apply.waitFor("stderr", boundary(4, hypervisor));
      await kill(run.agents);
      const { code, stdout, stderr } = await run.apply.ended;
      expect(code).toBe(1);
      expect(stdout).toMatch(/Applied in part: \d+ done, \d failed, \d skipped/);
      expect(stdout).toMatch(
        /\n {2}failed {2}\w.* a-\w+ (on|from) n1.*: cannot reach http.*\(AGENT_UNREACHABLE\)\n {10}hint: /,
      );
      expect(stdout + stderr).not.toMatch(STACK_TRACE);
      await start(run.agents);
      await run.finish();
    },
  );

  systemTest.for(WHOLE_MATRIX ? [1, 2] : [1])("killed twice at any moment, seed %i", async (seed, { world }) => {
    using run = await begin(world, hypervisor);
    const chance = aChance(seed);
    let { apply } = run;
    for (const round of [1, 2]) {
      if (round === 1) await apply.waitFor("stderr", "[");
      await sleep(chance() * 400);
      if (chance() < 0.5) apply.child.kill("SIGKILL");
      await kill(run.agents);
      await start(run.agents);
      const { code, stdout, stderr } = await apply.ended;
      // 3: it began when the only node that one of the VMs may move to was not back yet.
      const waitsForNode = /\(UNPLACEABLE\)/.test(stdout) && /\? node n2: /.test(stdout);
      expect([0, 1, 4, null, ...(waitsForNode ? [3] : [])], stdout + stderr).toContain(code);
      expect(stderr).not.toMatch(STACK_TRACE);
      if (round === 1) apply = world.start(...run.scenario.apply.slice(0, -2));
    }
    await run.finish();
  });
});

/** An apply tries for seven and a half seconds. On a machine that does much else an agent may take longer to start. */
const WAITS_FOR_AGENTS_MS = 5_000;
const STACK_TRACE = /\n\s+at /;

/** A fleet as it was, and an apply that has begun to change it. */
async function begin(world: SystemWorld, hypervisor: Guests) {
  const agents = await agentsFor(world, hypervisor);
  const scenario = await aScenario(world, agents, hypervisor);
  await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
  await scenario.change();
  const apply: Running = world.start(...scenario.apply);
  return {
    agents,
    scenario,
    apply,
    async finish() {
      await expectCode(world.cli(...scenario.apply), 0);
      await expectNothingToDo(world);
      await scenario.expectDone({ mayBootAgain: true });
    },
    [Symbol.dispose]: () => scenario[Symbol.dispose](),
  };
}

const kill = (agents: readonly SystemAgent[]) => Promise.all(agents.map((agent) => agent.kill()));
const start = (agents: readonly SystemAgent[]) => Promise.all(agents.map((agent) => agent.start()));

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function aChance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
