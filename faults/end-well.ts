/** When the faults stop: an apply makes the fleet what the manifests say, a second one finds nothing to do, and nothing is left at the end. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { processesOf, socketsOf } from "../test/support/system-leftovers.ts";
import { until } from "../test/support/until.ts";
import { busyIn, restartsIn, untilCalm } from "./calm.ts";
import { checkSettled, type Homes, SETTLE_MS } from "./check.ts";
import { takeTurn } from "./turn.ts";
import type { World } from "./world.ts";

const ANSWER_MS = 60_000;
/** What an agent gave up starting, and what somebody did by hand a moment ago, may need a second apply; more is going round in circles. */
const APPLIES = 4;
/** Sockets of clients that have just gone. */
const FEW_FILES = 60;

export async function endWell(world: World, homes: Homes): Promise<void> {
  await world.putBack();
  await world.manifests.calmDown();
  for (const { agent } of world.nodes) if (!agent.isUp) await agent.start();
  await checkSettled(world, homes);
  await converge(world);
  await checkSettled(world, homes);
  if (world.violations.length > 0) return;
  await empty(world);
  await checkSettled(world, homes);
  await leaveNothing(world);
}

async function converge(world: World): Promise<void> {
  for (let tries = 1; tries <= APPLIES; tries++) {
    await atRest(world);
    const { plan, report } = await takeTurn(world, { answerMs: ANSWER_MS });
    world.note(`calm apply ${tries}: ${plan.steps.length} steps, ${JSON.stringify(report?.counts ?? null)}`);
    const rest = { changes: plan.changes, unknown: plan.unknown, blocked: plan.blocked, refusals: plan.refusals };
    if (plan.changes.length === 0 && plan.complete) return expectAllRun(world);
    // What was made in a data folder that is gone is lost, which only a person can say, for one apply.
    const lost = plan.unknown.some(({ because }) => /another data folder/.test(because));
    await world.manifests.fence(lost ? world.nodes.map(({ name }) => name) : []);
    const failed = report?.steps.filter(({ error }) => error !== null) ?? [];
    if (tries === APPLIES)
      world.violate(`no end of applies: ${JSON.stringify({ ...rest, failed }, null, 1).slice(0, 6_000)}`);
  }
}

/** A guest that misbehaves as it was booted to may have ended a moment ago, and its agent put off its start. */
async function expectAllRun(world: World): Promise<void> {
  const named = (all: Iterable<{ readonly vm: string; readonly node: string }>) =>
    new Set([...all].map(({ vm, node }) => `${vm} on ${node}`));
  const wrong = () => {
    const wanted = named([...world.manifests.wanted].map(([vm, { node }]) => ({ vm, node })));
    const running = named(world.guests());
    return [
      ...[...wanted].filter((each) => !running.has(each)).map((each) => `${each} does not run`),
      ...[...running].filter((each) => !wanted.has(each)).map((each) => `${each} runs`),
    ];
  };
  const restartsAt = async () => restartsIn(await reportsOf(world));
  for (const each of await untilCalm({ wrong, restartsAt }, SETTLE_MS))
    world.violate(`nothing is left to do, and ${each}`);
}

/** Between two applies: a plan calls what is under way unknown, and how long it takes is the machine's to say. */
async function atRest(world: World): Promise<void> {
  const wrong = async () => busyIn(await reportsOf(world));
  const restartsAt = async () => restartsIn(await reportsOf(world));
  for (const each of await untilCalm({ wrong, restartsAt }, SETTLE_MS)) world.violate(`no end of it: ${each}`);
}

const reportsOf = (world: World) => Promise.all(world.nodes.map(({ agent }) => agent.report()));

async function empty(world: World): Promise<void> {
  for (let tries = 1; tries <= APPLIES; tries++) {
    await atRest(world);
    const { report } = await takeTurn(world, { answerMs: ANSWER_MS, destroys: true });
    if (report === null || report.outcome === "done") break;
    // One that misbehaves as it was booted to may end while its deletion is on its way.
    const isStale = report.steps.every(({ error }) => error === null || error.code === "STALE_SERIAL");
    if (!isStale || tries === APPLIES) return world.violate(`destroy: ${JSON.stringify(report)}`);
  }
  for (const { agent, dataFolder } of world.nodes) {
    // What stays where a guest moved away from is a person's to end.
    for (const { name, migration } of (await agent.report()).vms) {
      if (migration?.stage !== "left") continue;
      const request = { id: `leave-${name}`, expect: null, kind: "delete", graceSeconds: null };
      const { status, body } = await agent.ask("POST", `/v1/vms/${name}/operations`, request);
      if (status !== 200) world.violate(`delete of what ${name} left: ${status} ${JSON.stringify(body)}`);
    }
    for (const { name } of (await agent.report()).tombstones) {
      world.disks.forget(dataFolder, name);
      const request = { id: `last-${name}`, expect: null, kind: "purge" };
      const { status, body } = await agent.ask("POST", `/v1/vms/${name}/operations`, request);
      if (status !== 200) world.violate(`purge of ${name}: ${status} ${JSON.stringify(body)}`);
    }
  }
  for (const guest of world.guests()) world.violate(`all is destroyed, and ${guest.vm} runs on ${guest.node}`);
}

async function leaveNothing(world: World): Promise<void> {
  for (const { name, agent, dataFolder, runFolder } of world.nodes) {
    for (const folder of [join(dataFolder, "vms"), join(runFolder, "vms")])
      for (const left of existsSync(folder) ? readdirSync(folder) : [])
        world.violate(`all is purged, and ${join(folder, left)} is there`);
    await until("", () => (agent.holds()?.files ?? 0) < FEW_FILES, 15_000).catch(() =>
      world.violate(`the agent ${name} has nothing to do and ${agent.holds()?.files} files open`),
    );
    const code = await agent.stop();
    if (code !== 0) world.violate(`the agent ${name} ended with ${code}:\n${agent.lastWords()}`);
    if (/unhandled|unexpected/i.test(await agent.log())) world.violate(`${name}'s log has a surprise in it`);
  }
  for (const { pid, command } of await processesOf(world.scratch)) world.violate(`left: process ${pid}: ${command}`);
  for (const socket of await socketsOf(world.scratch, [])) world.violate(`left: ${socket}`);
}
