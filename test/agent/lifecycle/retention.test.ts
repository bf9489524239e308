/** Kept disks outlive clocks that are wrong: right after a boot, or set by mistake. */
import { expect, test } from "vitest";
import { anAgent, aSpec, NEVER, type TestAgent } from "../../support/an-agent.ts";
import { until } from "../../support/until.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const spec = aSpec({ retainDisksSeconds: (7 * DAY) / 1000 });

async function aDeletedVm(): Promise<TestAgent> {
  const agent = await anAgent({ sweepEveryMs: 5 });
  await agent.put("db", { spec });
  await agent.operate("db", { kind: "delete", graceSeconds: null });
  return agent;
}

const isKept = async (agent: TestAgent) => (await agent.lifecycle.report(NEVER)).tombstones.length === 1;

/** Everything that is due has had its turn: a VM without retention was purged, and the sweeps went on. */
async function sweptOnce(agent: TestAgent, name: string): Promise<void> {
  await agent.put(name, { spec: aSpec({ retainDisksSeconds: 0 }) });
  await agent.operate(name, { kind: "delete", graceSeconds: null });
  const names = async () => (await agent.lifecycle.report(NEVER)).tombstones.map((each) => each.name as string);
  await until("one without retention is gone", async () => !(await names()).includes(name));
  const before = agent.clock.looks;
  // A sweep of all looks at the clock for itself and for each tombstone.
  await until("two more sweeps have begun", async () => agent.clock.looks > before + 6);
  await agent.lifecycle.report(NEVER);
}

test("a clock that is set forward ends no retention of this agent's time", async () => {
  await using agent = await aDeletedVm();
  agent.clock.jump(70 * 365 * DAY);
  agent.clock.advance(2 * DAY);
  await sweptOnce(agent, "other-1");
  expect(await isKept(agent)).toBe(true);
  agent.clock.advance(5 * DAY);
  await until("its own time has passed", async () => !(await isKept(agent)));
});

test("an agent that starts with a wrong clock waits until it has run evenly for a while", async () => {
  await using agent = await aDeletedVm();
  agent.clock.jump(70 * 365 * DAY);
  await agent.restart();
  await sweptOnce(agent, "other-1");
  expect(await isKept(agent)).toBe(true);
  agent.clock.jump(-70 * 365 * DAY);
  agent.clock.advance(2 * DAY);
  await sweptOnce(agent, "other-2");
  expect(await isKept(agent)).toBe(true);
  agent.clock.advance(5 * DAY);
  await until("the retention has ended", async () => !(await isKept(agent)));
});

test("a clock that is set forward while an agent runs is not believed at once for what it found at its start", async () => {
  await using agent = await aDeletedVm();
  await agent.restart();
  agent.clock.advance(2 * HOUR);
  await sweptOnce(agent, "other-1");
  agent.clock.jump(30 * DAY);
  await sweptOnce(agent, "other-2");
  expect(await isKept(agent)).toBe(true);
  agent.clock.advance(2 * HOUR);
  await until("the clock was left as it is", async () => !(await isKept(agent)));
});
