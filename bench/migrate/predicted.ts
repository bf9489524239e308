/** What plans say of how long a move takes, beside what its agents then saw: a guest that goes to and fro by its placement. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { joinHistories } from "../../src/model/history.ts";
import { vmName } from "../../src/model/names.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { type AgentChild, startAgentChild } from "../agent-child.ts";
import { runCommand } from "../measure.ts";
import type { IdleGuest } from "./idle-guest.ts";

interface PredictedOptions {
  readonly installed: string;
  readonly scratch: string;
  readonly env: NodeJS.ProcessEnv;
  readonly guest: IdleGuest;
  readonly moves: number;
  readonly signal: AbortSignal;
}

export interface Prediction {
  readonly predictedS: number;
  readonly measuredS: number;
  readonly basis: "measured" | "assumed";
}

const NAMES = ["n1", "n2"] as const;

export async function predictMoves(options: PredictedOptions): Promise<Prediction[]> {
  const { installed, scratch, env, guest, moves, signal } = options;
  await using opened = new AsyncDisposableStack();
  const agents: AgentChild[] = [];
  for (const name of NAMES) {
    const flags = ["--hypervisor", "qemu", "--accelerator", "tcg", "--cpus", "8", "--memory", "64GiB"];
    agents.push(opened.use(await startAgentChild(installed, join(scratch, name), flags, { name, env })));
  }
  const manifests = join(scratch, "m");
  await mkdir(manifests);
  const odorobo = async (...args: string[]): Promise<string> => {
    const state = join(scratch, "state");
    const command = await runCommand(join(installed, "bin/run.js"), args, {
      env: { ...env, ODOROBO_STATE: state },
      signal,
    });
    return command.did.slice(command.did.indexOf("{"));
  };
  const placeOn = (node: string) => writeFile(join(manifests, "fleet.yaml"), fleetText(agents, guest, node));
  await placeOn("n1");
  await odorobo("apply", manifests, "--yes");
  opened.defer(async () => {
    for (const agent of agents) await agent.operate("g", { kind: "shutdown", graceSeconds: 0 }).catch(() => {});
  });
  const predictions: Prediction[] = [];
  for (let move = 0; move < moves; move++) {
    await placeOn(NAMES[(move + 1) % 2] as string);
    const plan = JSON.parse(await odorobo("plan", manifests, "--json")) as Plan;
    const [time] = plan.times?.moves ?? [];
    if (time === undefined) throw new Error(`nothing moves: ${JSON.stringify(plan.summary)}`);
    await odorobo("apply", manifests, "--yes");
    const reports = await Promise.all(agents.map((agent) => agent.report()));
    const seen = joinHistories(reports.map(({ history = [] }) => history))
      .get(vmName("g"))
      ?.moves?.at(-1);
    if (seen === undefined) throw new Error("the move left no trace");
    const predictedS = time.endSeconds - time.startSeconds;
    predictions.push({ predictedS, measuredS: seen.seconds, basis: time.basis ?? "assumed" });
  }
  return predictions;
}

function fleetText(agents: readonly AgentChild[], { spec, isUp }: IdleGuest, node: string): string {
  const { boot } = spec;
  if (boot.kind !== "kernel") throw new Error("the guest boots a kernel");
  const kernel = { kernel: boot.kernel, ...(boot.initramfs === null ? {} : { initramfs: boot.initramfs }) };
  const documents = [
    { kind: "Fleet", metadata: { name: "bench" } },
    ...agents.map(({ url }, index) => ({ kind: "Node", metadata: { name: NAMES[index] }, spec: { address: url } })),
    {
      kind: "VirtualMachine",
      metadata: { name: "g" },
      spec: {
        ...{ hypervisor: "qemu", placement: { node }, cpus: 1, memory: `${spec.memory.sizeMiB}MiB` },
        boot: { ...kernel, ...(boot.cmdline === "" ? {} : { cmdline: boot.cmdline }) },
        ready: { serial: isUp, timeout: "300s" },
      },
    },
  ];
  return documents.map((each) => JSON.stringify({ apiVersion: "odorobo.dev/v1", ...each })).join("\n---\n");
}
