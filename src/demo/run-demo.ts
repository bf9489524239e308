/**
 * The main job in one command: a folder of YAML in git becomes running guests on three nodes of this machine, and what
 * follows in the life of a fleet. Every screen is a command's real output.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { VmReport } from "../model/observed-state.ts";
import { isOnPath } from "../platform/is-on-path.ts";
import type { VmList } from "../report/lists.ts";
import type { OperationResult } from "../wire/operations.ts";
import {
  type AgentPlace,
  type DemoAgent,
  findAgent,
  notADemo,
  startAgent,
  startedNodes,
  stopAgent,
} from "./demo-agents.ts";
import { makeScratchFleet } from "./scratch-fleet.ts";
import { type Stage, setStage } from "./stage.ts";

export interface DemoOptions {
  /** `node` and the entry point, as this process was started. */
  readonly command: readonly [string, string];
  readonly keep: boolean;
  readonly signal: AbortSignal;
  readonly print: (text: string) => void;
}

export const NODES = ["n1", "n2", "n3"];

/** Resolves when all is played and cleaned up, or kept. Rejects when a command does not end as it should: the demo is a test. */
export async function runDemo(options: DemoOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "odorobo-demo-"));
  const place = { command: options.command, folder };
  try {
    await play(options, place);
  } catch (error) {
    await endDemo(folder, options.command, options.print);
    throw error;
  }
  if (!options.keep) await endDemo(folder, options.command, options.print);
  else sayGoodbye(options, folder);
}

async function play({ command, signal, print }: DemoOptions, place: AgentPlace): Promise<void> {
  const hypervisor = (await isOnPath("qemu-system-x86_64")) ? "qemu" : "noop";
  const fleetFolder = join(place.folder, "fleet");
  const stage = setStage({ command, folder: place.folder, signal, print });

  stage.heading("Three agents on this machine, each as a server would have it");
  const agents = await Promise.all(NODES.map((name) => startAgent(place, name, null)));
  for (const agent of agents) stage.say(`agent ${agent.name} answers on ${agent.url}`);
  stage.say(
    hypervisor === "qemu"
      ? "QEMU is on the PATH: the guests will be real. Each counts aloud on its serial line."
      : "QEMU is not on the PATH: the guests are rehearsed (hypervisor noop). For real ones: apt-get install qemu-system-x86",
  );
  const urls = Object.fromEntries(agents.map((agent) => [agent.name, agent.url]));
  const fleet = await makeScratchFleet(fleetFolder, urls, hypervisor);

  stage.heading("A fleet in git: is it well formed, and what would happen?");
  expectExit(0, await stage.odorobo("validate", "fleet"));
  expectExit(0, await stage.odorobo("plan", "fleet"));

  stage.heading("Apply: the folder of YAML becomes running guests");
  expectExit(0, await stage.odorobo("apply", "fleet", "--yes"));
  if (hypervisor === "qemu") expectExit(0, await stage.odorobo("vm", "logs", "web-1", "--fleet", "fleet", "-n", "3"));

  stage.heading("A second plan: nothing to do");
  expectExit(0, await stage.odorobo("plan", "fleet", "--detailed-exitcode"));

  stage.heading("A change in git: more memory for one, a label for another, and why the first needs a reboot");
  await fleet.edit("vms/web-1.yaml", "profile: web", "profile: web\n  memory: 96MiB");
  await fleet.edit("vms/web-2.yaml", "labels: { app: web }", "labels: { app: web, tier: front }");
  await fleet.commit("web-1 needs more memory");
  expectExit(2, await stage.odorobo("plan", "fleet", "--detailed-exitcode"));
  expectExit(0, await stage.odorobo("apply", "fleet", "--yes"));

  stage.heading("Somebody kills a guest: its agent starts it again");
  const victim = await stage.ask<VmReport>("vm", "info", "web-3", "--fleet", "fleet");
  await killGuest(victim, place, stage);
  const { lastEvent } = await untilStartedAgain(stage);
  stage.say(`its agent noticed (${lastEvent?.message}), waited a second, and started it again`);

  stage.heading("Somebody shuts it down by hand: that stands, until a plan names the drift and apply heals it");
  expectExit(0, await stage.odorobo("vm", "shutdown", "web-3", "--fleet", "fleet", "--grace", "0s"));
  expectExit(2, await stage.odorobo("plan", "fleet", "--detailed-exitcode"));
  expectExit(0, await stage.odorobo("apply", "fleet", "--yes"));

  stage.heading("A node goes silent: what lives there is unknown, and nothing is started elsewhere");
  const [lost] = agents.filter((agent) => agent.name === "n2") as [DemoAgent];
  await stopAgent(lost, "SIGKILL");
  stage.say("the agent of n2 was killed (kill -9); its guests go on, but nobody can say so");
  expectExit(4, await stage.odorobo("plan", "fleet"));
  await startAgent(place, "n2", lost.url);
  stage.say("\nthe agent of n2 is back and has found its guests again:");
  expectExit(0, await stage.odorobo("plan", "fleet"));

  stage.heading("A line in git: job-1 is to live on n2, and goes there while it runs");
  await fleet.edit("vms/jobs.yaml", "placement: { node: n1 }", "placement: { node: n2 }");
  await fleet.commit("job-1 moves to n2");
  expectExit(0, await stage.odorobo("plan", "fleet"));
  expectExit(0, await stage.odorobo("apply", "fleet", "--yes"));
  if (hypervisor === "qemu") {
    stage.say("\nit counts on there; its first words are in the log of n1:");
    expectExit(0, await stage.odorobo("vm", "logs", "job-1", "--fleet", "fleet", "-n", "3"));
  }

  stage.heading("A deletion: refused while protected, and it keeps its disk");
  const putBack = await fleet.remove("vms/db-1.yaml");
  expectExit(3, await stage.odorobo("plan", "fleet"));
  stage.say("\nthe agent remembered protect: true. So that goes first, in a commit of its own:");
  await putBack("protect: true", "protect: false");
  await fleet.commit("db-1 need not be protected any more");
  expectExit(0, await stage.odorobo("apply", "fleet", "--yes"));
  await fleet.remove("vms/db-1.yaml");
  await fleet.commit("db-1 retires");
  expectExit(0, await stage.odorobo("apply", "fleet", "--yes"));
  const disks = await readdir(join(place.folder, "n3", "data", "vms", "db-1", "disks"));
  stage.say(`\nits disk is still there, until the retention ends: n3/data/vms/db-1/disks/${disks.join(", ")}`);

  stage.heading("What is there now");
  expectExit(0, await stage.odorobo("status", "fleet"));
}

/** As a person with root on the node would: the hypervisor's process, or the file that stands for a rehearsed guest. */
export async function killGuest(vm: VmReport, place: AgentPlace, stage: Stage): Promise<void> {
  if (vm.pid !== null) {
    process.kill(vm.pid, "SIGKILL");
    stage.say(`$ kill -9 ${vm.pid}   # the QEMU of ${vm.name}`);
    return;
  }
  const nodes = await Promise.all(
    NODES.map(async (node) => ({ node, vms: await readdir(join(place.folder, node, "run", "vms")) })),
  );
  const home = nodes.find(({ vms }) => vms.includes(vm.name));
  if (!home) throw new Error(`no node of the demo has ${vm.name}`);
  const file = join(home.node, "run", "vms", vm.name, "guest.json");
  await rm(join(place.folder, file));
  stage.say(`$ rm ${file}   # a rehearsed guest is this file`);
}

/** An agent sees to it by itself; this only waits until it has. */
async function untilStartedAgain(stage: Stage): Promise<VmReport> {
  for (let attempt = 0; attempt < 60; attempt++) {
    const vm = await stage.ask<VmReport>("vm", "info", "web-3", "--fleet", "fleet");
    if (vm.phase === "running" && vm.restart !== undefined) return vm;
  }
  throw new Error("the agent did not start web-3 again after it was killed");
}

export function expectExit(expected: number, actual: number): void {
  if (actual !== expected)
    throw new Error(`the command above should have ended with ${expected} and ended with ${actual}`);
}

/** Ending a demo removes its folder: somebody's own must not be taken for one. */
export async function endKeptDemo(
  folder: string,
  command: DemoOptions["command"],
  print: DemoOptions["print"],
): Promise<void> {
  if ((await startedNodes(folder)).length === 0) throw notADemo(folder);
  await endDemo(folder, command, print);
}

/**
 * Guests, agents and folder of a demo, played to the end or not. An agent that is down is started again: only agents
 * know their guests. Rejects, and leaves the folder, when a guest could not be ended.
 */
export async function endDemo(
  folder: string,
  command: readonly [string, string],
  print: (text: string) => void,
): Promise<void> {
  const place = { command, folder };
  const stage = setStage({ command, folder, signal: new AbortController().signal, print: () => {} });
  for (const name of await startedNodes(folder)) {
    const agent = (await findAgent(place, name)) ?? (await startAgent(place, name, null));
    const { vms } = await stage.ask<VmList>("vm", "list", "--agent", agent.url);
    for (const vm of vms.filter(({ phase }) => phase === "running" || phase === "paused")) {
      await stage.ask<OperationResult>("vm", "shutdown", vm.name, "--agent", agent.url, "--grace", "0s");
    }
    await stopAgent(agent, "SIGTERM");
  }
  await rm(folder, { recursive: true, force: true });
  print("\nguests, agents and scratch folder are gone again");
}

function sayGoodbye({ command, print }: DemoOptions, folder: string): void {
  const odorobo = command.join(" ");
  print(`
kept for you to play with: ${folder}
  cd ${folder}
  alias odorobo='${odorobo}'
  odorobo status fleet
  odorobo vm console web-1 --fleet fleet     # Ctrl-] then . leaves it
  $EDITOR fleet/vms/web-2.yaml && odorobo plan fleet && odorobo apply fleet
  odorobo vm shutdown job-1 --fleet fleet && odorobo plan fleet
and to end it all:
  odorobo demo --end ${folder}`);
}
