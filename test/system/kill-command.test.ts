/** kill -9 and Ctrl-C of the command at every step boundary: agents finish what they began, the next apply does the rest. */
import { describe, expect } from "vitest";
import { requires } from "../support/requirements.ts";
import {
  agentsFor,
  applyTheRest,
  aScenario,
  boundaries,
  boundary,
  expectCode,
  expectNothingToDo,
  type Scenario,
  STEPS,
  untilSettled,
} from "../support/system-scenario.ts";
import { PATIENT, type SystemWorld, systemTest } from "../support/system-world.ts";

const WITH_QEMU = requires("an apply with real guests killed with SIGKILL", "qemu-system-x86_64", "qemu-img");
/** More at a time only take turns. */
const AT_ONCE = 2;

describe.concurrent("a command that ends in the middle", PATIENT, () => {
  systemTest.for(
    WITH_QEMU
      ? ([
          ["real guests", "qemu"],
          ["rehearsed guests", "noop"],
        ] as const)
      : ([["rehearsed guests", "noop"]] as const),
  )(
    "kill -9 after each step but the last, %s: nothing is lost, nothing done twice",
    async ([, hypervisor], { world }) => {
      await atEachBoundary(world, hypervisor, async (k, scenario) => {
        const apply = world.start(...scenario.apply);
        await apply.waitFor("stderr", boundary(k, hypervisor));
        apply.child.kill("SIGKILL");
        expect((await apply.ended).code).toBe(null);
      });
    },
  );

  systemTest("Ctrl-C after each step but the last: exit 130, and a report of what was done", async ({ world }) => {
    await atEachBoundary(world, "noop", async (k, scenario) => {
      const apply = world.start(...scenario.apply);
      await apply.waitFor("stderr", boundary(k, "noop"));
      apply.child.kill("SIGINT");
      const { code, stdout, stderr } = await apply.ended;
      const [, outcome, done, skipped] =
        /\n(Applied|Interrupted): (\d+) done, 0 failed, (\d+) skipped/.exec(stdout) ?? [];
      expect(Number(done), stdout).toBeGreaterThanOrEqual(k);
      expect(Number(done) + Number(skipped)).toBe(STEPS.noop);
      // All was done when the signal came: it may even have come when nobody listened any more.
      if (skipped === "0") expect([0, null]).toContain(code);
      else expect(code).toBe(130);
      expect(outcome).toBe(skipped === "0" ? "Applied" : "Interrupted");
      if (code === 130) {
        expect(stderr).toMatch(/^Interrupted: finishing \d in flight, starting nothing new\./m);
        expect(stdout).toMatch(/\n {2}skipped .*: interrupted\n.*odorobo plan shows what is left/);
      }
    });
  });
});

/** One world for all of these: one set of VMs for each boundary, cut short there; then one apply does what is left of all. */
async function atEachBoundary(
  world: SystemWorld,
  hypervisor: "noop" | "qemu",
  cutShort: (k: number, scenario: Scenario) => Promise<void>,
): Promise<void> {
  const agents = await agentsFor(world, hypervisor);
  using scenarios = new DisposableStack();
  const all = new Map<number, Scenario>();
  for (const k of boundaries(hypervisor))
    all.set(k, scenarios.use(await aScenario(world, agents, hypervisor, `k${k}`)));
  await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
  for (const scenario of all.values()) await scenario.change();
  const left = [...all];
  const work = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await cutShort(...next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  await untilSettled(agents);
  await applyTheRest(world);
  for (const scenario of all.values()) await scenario.expectDone({ mayBootAgain: false });
  await expectNothingToDo(world);
}
