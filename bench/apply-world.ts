/**
 * Real agents in this process with durable records in a folder, asked over their sockets, and a fleet of small VMs to apply to them.
 *
 *   planAndApply → the figure;  inSync → the proof that all was done;  disposing ends guests and agents
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAgentConfig } from "../src/agent/config.ts";
import type { Lifecycle } from "../src/agent/lifecycle/lifecycle.ts";
import { startAgent } from "../src/agent/main.ts";
import type { VmReport } from "../src/model/observed-state.ts";
import { systemClock } from "../src/platform/clock.ts";
import { type PlannedFleet, type PlanRequest, planFleet } from "../src/turn/plan-fleet.ts";
import { applyPlan } from "../src/turn/runs/apply-plan.ts";
import { killGuest } from "./kill-guest.ts";

export interface ApplyWorldOptions {
  readonly scratch: string;
  readonly hypervisor: "noop" | "qemu";
  readonly agents: number;
  readonly vms: number;
}

export interface Applied {
  readonly milliseconds: number;
  readonly steps: number;
}

export interface ApplyWorld extends AsyncDisposable {
  /** Everything is created and booted. Times the apply alone: the plan is made before. */
  apply(): Promise<Applied>;
  /** How many VMs a new plan leaves alone; throws when it would do anything. */
  unchanged(): Promise<number>;
}

const { signal } = new AbortController();

export async function openApplyWorld(options: ApplyWorldOptions): Promise<ApplyWorld> {
  const { scratch, hypervisor, agents, vms } = options;
  await using opened = new AsyncDisposableStack();
  const manifests = join(scratch, "m");
  await mkdir(manifests, { recursive: true });
  await writeFile(join(manifests, "fleet.yaml"), fleetText(options));
  const lifecycles: Lifecycle[] = [];
  for (let index = 0; index < agents; index++) {
    const agent = opened.use(await startAgent(agentConfig(options, index)));
    lifecycles.push(agent.lifecycle);
  }
  const request: PlanRequest = {
    location: { kind: "folder", path: manifests },
    access: {},
    selection: null,
    allowances: { maxClass: null, allowDestroy: null },
    clock: systemClock,
  };
  // Guests outlive their agents: that is the product's promise, and here ours to end.
  opened.defer(async () => {
    for (const lifecycle of lifecycles)
      for (const { pid } of (await lifecycle.report(signal)).vms) if (pid !== null) killGuest(pid);
  });
  const running = opened.move();
  return {
    async apply() {
      await using planned = await planFleet(request, signal);
      const begun = performance.now();
      const report = await applyPlan({
        plan: planned.plan,
        desired: planned.fleet.desired,
        observed: planned.observed,
        agents: planned.agents,
        clock: systemClock,
        parallelism: null,
        signal,
        hardSignal: signal,
        onEvent: () => {},
      });
      const milliseconds = performance.now() - begun;
      if (report.counts.done !== 2 * vms)
        throw new Error(
          `${report.counts.done} of ${2 * vms} steps done: ${JSON.stringify(report.steps.find((step) => step.error))}`,
        );
      return { milliseconds, steps: report.counts.done };
    },
    async unchanged() {
      await using planned = await planFleet(request, signal);
      if (planned.plan.steps.length > 0)
        throw new Error(`after the ${hypervisor} apply there is still something to do`);
      const up = reportsOf(planned).filter(({ phase }) => phase === "running").length;
      if (up !== vms) throw new Error(`${up} of ${vms} guests run`);
      return planned.plan.summary.unchanged;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const reportsOf = ({ observed }: PlannedFleet): VmReport[] =>
  observed.nodes.flatMap((node) => (node.reach === "answered" ? node.report.vms : []));

const folderOf = ({ scratch }: ApplyWorldOptions, agent: number): string => join(scratch, `a${agent}`);

const agentConfig = (options: ApplyWorldOptions, agent: number) =>
  parseAgentConfig({
    name: `a${agent}`,
    listen: [`unix://${join(options.scratch, `a${agent}.sock`)}`],
    data: join(folderOf(options, agent), "d"),
    run: join(folderOf(options, agent), "r"),
    hypervisor: [options.hypervisor],
    accelerator: "tcg",
    cpus: 1_000,
    memoryMiB: 1_000_000,
    logLevel: "silent",
  });

/** Limits are the fleet's defaults. Ready when it counts aloud: what the bare loop waits for, too. */
function fleetText(options: ApplyWorldOptions): string {
  const ready = options.hypervisor === "qemu" ? "\n    ready: { serial: COUNTER, timeout: 120s }" : "";
  const documents = [
    `kind: Fleet
metadata: { name: bench }
spec:
  defaults:
    hypervisor: ${options.hypervisor}
    cpus: 1
    memory: 32MiB
    boot: { kernel: "builtin:tiny" }${ready}`,
    ...Array.from(
      { length: options.agents },
      (_, agent) => `kind: Node
metadata: { name: a${agent} }
spec: { address: "unix://${join(options.scratch, `a${agent}.sock`)}" }`,
    ),
    ...Array.from(
      { length: options.vms },
      (_, vm) => `kind: VirtualMachine
metadata: { name: vm-${vm} }
spec: { placement: { node: a${vm % options.agents} } }`,
    ),
  ];
  return documents.map((text) => `apiVersion: odorobo.dev/v1\n${text}\n`).join("---\n");
}
