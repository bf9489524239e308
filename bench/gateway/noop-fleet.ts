/** A repository of small VMs and real agents with noop guests for them, in a process of their own. */
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bench } from "../scenario.ts";
import { serveAgents } from "../serve-fleet.ts";
import { Pushed } from "./pushed.ts";

export const VMS_FILE = (vm: number): string => `vms/vm-${vm}.yaml`;

export interface NoopFleet extends AsyncDisposable {
  readonly repository: Pushed;
}

/** Every VM of it has room for two CPUs more than it has. */
export async function serveNoopFleet(vms: number, agents: number, bench: Bench): Promise<NoopFleet> {
  const scratch = await mkdtemp(join(bench.scratch, "nf"));
  const folder = join(scratch, "m");
  await mkdir(join(folder, "vms"), { recursive: true });
  const head = (kind: string, name: string) =>
    `apiVersion: odorobo.dev/v1\nkind: ${kind}\nmetadata: { name: ${name} }\n`;
  const defaults = `spec:
  defaults:
    hypervisor: noop
    cpus: { count: 1, max: 3 }
    memory: 32MiB
    boot: { kernel: "builtin:tiny" }
`;
  await writeFile(join(folder, "fleet.yaml"), head("Fleet", "bench") + defaults);
  for (let agent = 0; agent < agents; agent++) {
    const address = `unix://${join(scratch, `a${agent}.sock`)}`;
    await writeFile(join(folder, `a${agent}.yaml`), `${head("Node", `a${agent}`)}spec: { address: "${address}" }\n`);
  }
  for (let vm = 0; vm < vms; vm++) {
    const placement = `spec: { placement: { node: a${vm % agents} }, weights: { cpu: 100 } }\n`;
    await writeFile(join(folder, VMS_FILE(vm)), head("VirtualMachine", `vm-${vm}`) + placement);
  }
  const repository = new Pushed(folder);
  repository.begin();
  const served = await serveAgents("noop-agents", [scratch, String(agents)], bench.ours, bench.signal);
  return { repository, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
}
