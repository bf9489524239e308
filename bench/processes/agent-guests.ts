/**
 * What an agent costs its guests and its host: boots beside the same process started by hand, turn by turn; then a full
 * server: how fast it reports, how much memory it needs, how soon it knows of a death.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type AgentChild, startAgentChild } from "../agent-child.ts";
import { median } from "../measure.ts";
import { IS_UP, smallGuest } from "../small-guest.ts";
import { tell } from "../tell.ts";

const LOOK_AGAIN_MS = 5;
const DEADLINE_MS = 60_000;

const [scratch = "", installed = "", guestsText = "0", pairsText = "1"] = process.argv.slice(2);
const [guests, pairs] = [Number(guestsText), Number(pairsText)];
await using agent = await startAgentChild(installed, scratch, [
  ...["--hypervisor", "qemu", "--accelerator", "tcg", "--supervisor", "spawn"],
  ...["--cpus", "10000", "--memory", "1000GiB"],
]);
const spec = smallGuest("qemu");

const boots = await bootInTurns(agent);
for (let index = 0; index < guests; index++) {
  await agent.put(vmName(index), spec);
  await agent.operate(vmName(index), { kind: "boot" });
}
const reportMs: number[] = [];
for (let round = 0; round < 20; round++) reportMs.push(await timed(() => agent.report()));
const report = await agent.report();
const running = report.vms.filter(({ phase }) => phase === "running").length;
const residentMB = await agent.residentMB();
const deathMs: number[] = [];
for (let index = 0; index < Math.min(10, guests); index++) deathMs.push(await timeToKnow(agent, vmName(index)));
for (const { name } of report.vms) await agent.operate(name, { kind: "delete", graceSeconds: 0 });

tell(`${running} guests ran`, {
  values: { ...boots, reportMs: median(reportMs), residentMB, deathMs: median(deathMs), running },
});

function vmName(index: number): string {
  return `vm-${index}`;
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await act();
  return performance.now() - begun;
}

/** Both until the guest counts. The agent's boot is an HTTP request that is answered when it does. */
async function bootInTurns({ put, operate, vm }: AgentChild) {
  await put("pair", spec);
  const log = join(scratch, "d/vms/pair/logs/console.log");
  const [ours, bare]: [number[], number[]] = [[], []];
  for (let pair = 0; pair <= pairs; pair++) {
    const agentMs = await timed(() => operate("pair", { kind: "boot" }));
    const { pid } = await vm("pair");
    const [executable = "", ...args] = (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0").slice(0, -1);
    await operate("pair", { kind: "shutdown", graceSeconds: 0 });
    const handMs = await bootByHand(executable, args, log);
    // The first of each warms the caches of both.
    if (pair === 0) continue;
    ours.push(agentMs);
    bare.push(handMs);
  }
  const ratios = ours.map((milliseconds, pair) => milliseconds / (bare[pair] ?? Number.NaN));
  return { agentBootMs: median(ours), handBootMs: median(bare), bootRatio: median(ratios) };
}

async function bootByHand(executable: string, args: readonly string[], log: string): Promise<number> {
  const before = (await readFile(log)).length;
  const begun = performance.now();
  const child = spawn(executable, args, { stdio: "ignore" });
  try {
    for (;;) {
      if (performance.now() - begun > DEADLINE_MS) throw new Error("the guest started by hand does not count");
      const text = (await readFile(log)).subarray(before).toString("latin1");
      if (text.includes(IS_UP)) return performance.now() - begun;
      await sleep(LOOK_AGAIN_MS);
    }
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

/** From the kill of a guest's process to the first report of the agent's that says so. */
async function timeToKnow({ vm }: AgentChild, name: string): Promise<number> {
  const { pid } = await vm(name);
  if (pid === null) throw new Error(`${name} has no process`);
  const begun = performance.now();
  process.kill(pid, "SIGKILL");
  while ((await vm(name)).phase === "running") {
    if (performance.now() - begun > DEADLINE_MS) throw new Error(`nobody noticed the end of ${name}`);
    await sleep(LOOK_AGAIN_MS);
  }
  return performance.now() - begun;
}
