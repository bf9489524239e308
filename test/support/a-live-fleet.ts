/** A fleet that lives: manifests in a folder, and an agent with noop guests for each node, in this process, over real sockets. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseAgentConfig } from "../../src/agent/config.ts";
import { type RunningAgent, startAgent } from "../../src/agent/main.ts";
import "./own-cache.ts";
import { aTempFolder } from "./temp-folder.ts";

export interface LiveFleet extends AsyncDisposable {
  /** Where the manifests are. */
  readonly folder: string;
  /** Beside it, for what else a test writes. */
  readonly scratch: string;
  url(node: string): string;
  write(path: string, text: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Writes the Node of one of the agents, which is there from the beginning. */
  node(name: string): Promise<void>;
  /** Writes `vms/NAME.yaml`. `spec`: lines of YAML below `spec:`, without their indentation. */
  vm(name: string, spec?: readonly string[], annotations?: Readonly<Record<string, string>>): Promise<void>;
  /** The node goes silent; its VMs are still there. */
  stop(node: string): Promise<void>;
  /** One that was stopped comes back with its folders, where it was. */
  answerAgain(node: string): Promise<void>;
  /** One that was stopped comes back with its folders, at another address, which is written into its manifest. */
  comeBack(node: string): Promise<void>;
}

export async function aLiveFleet(...nodes: string[]): Promise<LiveFleet> {
  const scratch = await aTempFolder({ inMemory: true });
  const folder = join(scratch.path, "fleet");
  const agents = new Map<string, RunningAgent>();
  /** Of those that were stopped. */
  const addresses = new Map<string, string>();
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  await write("fleet.yaml", document("Fleet", "test", ["defaults: { hypervisor: noop, cpus: 1, memory: 64MiB }"]));
  const node = (name: string) =>
    write(`nodes/${name}.yaml`, document("Node", name, [`address: ${agents.get(name)!.urls[0]}`]));
  const start = (name: string, listen = "127.0.0.1:0") =>
    startAgent(
      parseAgentConfig({
        name,
        listen: [listen],
        data: join(scratch.path, name, "d"),
        run: join(scratch.path, name, "r"),
        hypervisor: ["noop"],
        cpus: 16,
        memoryMiB: 16_384,
        logLevel: "silent",
      }),
    );
  for (const name of nodes) {
    agents.set(name, await start(name));
    await node(name);
  }
  return {
    folder,
    scratch: scratch.path,
    url: (node) => agents.get(node)!.urls[0]!,
    write,
    node,
    remove: (path) => rm(join(folder, path)),
    vm: (name, spec = [], annotations = {}) =>
      write(
        `vms/${name}.yaml`,
        document("VirtualMachine", name, ['boot: { kernel: "builtin:tiny" }', ...spec], annotations),
      ),
    async stop(node) {
      const agent = agents.get(node)!;
      addresses.set(node, agent.urls[0]!);
      await agent[Symbol.asyncDispose]();
      agents.delete(node);
    },
    async answerAgain(name) {
      agents.set(name, await start(name, new URL(addresses.get(name)!).host));
    },
    async comeBack(name) {
      agents.set(name, await start(name));
      const path = join(folder, `nodes/${name}.yaml`);
      const text = await readFile(path, "utf8");
      await writeFile(path, text.replace(addresses.get(name)!, agents.get(name)!.urls[0]!));
    },
    async [Symbol.asyncDispose]() {
      for (const agent of agents.values()) await agent[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    },
  };
}

const document = (
  kind: string,
  name: string,
  spec: readonly string[],
  annotations: Readonly<Record<string, string>> = {},
): string =>
  [
    "apiVersion: odorobo.dev/v1",
    `kind: ${kind}`,
    "metadata:",
    `  name: ${name}`,
    `  annotations: ${JSON.stringify(annotations)}`,
    "spec:",
    ...spec.map((line) => `  ${line}`),
    "",
  ].join("\n");
