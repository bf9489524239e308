/** What must hold, whatever happened: looked at from outside, in processes, files and reports. */
import type { ApplyReport } from "../src/apply/apply-report.ts";
import type { NodeReport } from "../src/model/observed-state.ts";
import type { Plan } from "../src/plan/plan-document.ts";
import { until } from "../test/support/until.ts";
import type { SeenGuest } from "./host.ts";
import type { FaultyNode, World } from "./world.ts";

/** A busy machine may need long until an agent has looked; what is wrong stays wrong for longer. */
export const SETTLE_MS = 30_000;
/** Of an agent that has a dozen VMs: more is a leak. Node itself takes 80. */
const MOST_RESIDENT_MIB = 300;
const MOST_FILES = 200;

/** Where each VM was seen last, by name: what no plan may forget. */
export type Homes = Map<string, string>;

/** What agents say and what runs agree, once what was begun has ended. */
export async function checkSettled(world: World, homes: Homes): Promise<void> {
  for (const node of world.upNodes.filter(({ isSwapped }) => !isSwapped)) {
    let wrong = "it was never asked";
    const agrees = async () => {
      wrong = await disagreement(world, node, homes);
      return wrong === "";
    };
    await until("", agrees, SETTLE_MS).catch(() => world.violate(`${node.name}: ${wrong}`));
    for (const each of world.disks.look(node.dataFolder)) world.violate(each);
    checkHoldings(world, node);
  }
}

async function disagreement(world: World, node: FaultyNode, homes: Homes): Promise<string> {
  let report: NodeReport;
  try {
    report = await node.agent.report();
  } catch (error) {
    return `it gives no report: ${error instanceof Error ? error.message : error}`;
  }
  if (report.unfinished.length > 0) return `unfinished: ${JSON.stringify(report.unfinished)}`;
  const unreadable = new Map((report.unreadable ?? []).map(({ name, problem }) => [name as string, problem]));
  if (unreadable.size > 0) return `unreadable: ${JSON.stringify([...unreadable])}`;
  const guests = world.guests().filter((guest) => guest.node === node.name);
  const wrong = [...reportedWrongly(report, guests), ...runningUnseen(report, guests)];
  if (wrong.length > 0) return wrong.join("; ");
  for (const [vm, home] of homes) if (home === node.name) homes.delete(vm);
  for (const { name } of report.vms) homes.set(name, node.name);
  return "";
}

function reportedWrongly(report: NodeReport, guests: readonly SeenGuest[]): string[] {
  return report.vms.flatMap(({ name, phase, pid }) => {
    if (phase !== "running" && phase !== "paused") return [];
    const guest = guests.find(({ vm }) => vm === name);
    if (guest === undefined) return [`${name} is reported ${phase}, and no guest of it is there`];
    return guest.pid === pid ? [] : [`${name} is reported with process ${pid}, and ${guest.pid} runs`];
  });
}

function runningUnseen(report: NodeReport, guests: readonly SeenGuest[]): string[] {
  return guests.flatMap(({ vm, pid }) => {
    const seen = report.vms.find(({ name }) => name === vm);
    const lives = seen !== undefined && ["running", "paused", "starting", "stopping"].includes(seen.phase);
    return lives ? [] : [`${vm} (process ${pid}) runs, and the report says ${seen?.phase ?? "nothing of it"}`];
  });
}

function checkHoldings(world: World, { name, agent }: FaultyNode): void {
  const holds = agent.holds();
  if (holds === null) return;
  if (holds.files > MOST_FILES) world.violate(`the agent ${name} has ${holds.files} files open`);
  if (holds.residentMiB > MOST_RESIDENT_MIB) world.violate(`the agent ${name} takes ${holds.residentMiB} MiB`);
}

/** What could not be seen is neither called as it should be, nor made anew elsewhere. */
export function checkPlan(world: World, plan: Plan, homes: Homes): void {
  const silent = new Set(plan.unknown.filter(({ kind }) => kind === "Node").map(({ name }) => name));
  if (silent.size > 0 && plan.complete) world.violate(`a plan calls itself complete, and ${[...silent]} were silent`);
  for (const { kind, vm, node } of plan.steps) {
    const home = homes.get(vm);
    if (home !== undefined && silent.has(home))
      world.violate(`a plan would ${kind} ${vm} on ${node}, and its node ${home} is silent`);
  }
}

/** What a full disk must not hold up. */
const FREES: ReadonlySet<string> = new Set(["shutdownVm", "deleteVm", "resumeVm"]);

/** The reserve is for records. A noop guest keeps itself in the run folder, where nothing is in reserve and a full one stops it. */
export const isAboutRecord = (text: string): boolean => /the record of/.test(text);

/** Failures are allowed, surprises are not. `steady`: agents that answered from before the apply to its end. */
export function checkApply(world: World, report: ApplyReport, steady: ReadonlySet<string>): void {
  for (const { title, error, node, kind } of report.steps) {
    if (error === null) continue;
    world.note(`  ${title}: ${error.code} ${error.message}`);
    if (error.code === "INTERNAL") world.violate(`${title}: ${error.message}`);
    if (error.code === "INSUFFICIENT_STORAGE" && FREES.has(kind) && isAboutRecord(error.message))
      world.violate(`${title}, which would make room: ${error.message}`);
    if (error.code === "AGENT_UNREACHABLE" && steady.has(node))
      world.violate(`${title}: ${error.code} ${error.message}, and the agent was there all the time`);
  }
}

export function checkText(world: World, text: string): void {
  if (/\bINTERNAL\b|did not foresee|did not expect|\n\s+at .*\(?(file|node):/.test(text))
    world.violate(`a command is surprised:\n${text}`);
}
