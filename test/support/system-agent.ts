/** An agent as a server runs it: a process of its own, that can be killed and started again at the same address. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { NodeReport, VmReport } from "../../src/model/observed-state.ts";
import { type Outcome, type Running, startOdorobo } from "./run-odorobo.ts";
import { until } from "./until.ts";

export interface SystemAgent {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly dataFolder: string;
  readonly runFolder: string;
  /** Null while it does not run. */
  readonly pid: number | null;
  /** Resolves when it answers. */
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM, as systemd does. */
  stop(): Promise<Outcome>;
  report(): Promise<NodeReport>;
  vm(name: string): Promise<VmReport>;
  /** What the guest said on its serial line, all its boots together; empty before the first. */
  serial(vm: string): Promise<string>;
}

export interface SystemAgentOptions {
  readonly name: string;
  readonly folder: string;
  /** Default: in the folder. */
  readonly dataFolder?: string | undefined;
  readonly flags: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export async function aSystemAgent(options: SystemAgentOptions): Promise<SystemAgent> {
  const { name, folder, dataFolder = join(folder, "d"), flags, env } = options;
  const runFolder = join(folder, "r");
  let port = 0;
  let running: Running | null = null;
  const started = () => {
    if (running === null) throw new Error(`the agent ${name} does not run`);
    return running;
  };
  const launch = async () => {
    const argv = ["agent", "--name", name, "--listen", `127.0.0.1:${port}`, "--data", dataFolder, "--run", runFolder];
    const child = startOdorobo([...argv, ...flags], { env, cwd: folder });
    running = child;
    void child.ended.then(() => {
      if (running === child) running = null;
    });
    await child.waitFor("stdout", " ready on ");
  };
  const agent: SystemAgent = {
    name,
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    get port() {
      return port;
    },
    dataFolder,
    runFolder,
    get pid() {
      return running?.child.pid ?? null;
    },
    async start() {
      if (port !== 0) return launch();
      // Between looking for a free port and listening on it somebody else may take it.
      for (let tries = 1; ; tries++) {
        port = await aFreePort();
        try {
          return await launch();
        } catch (error) {
          if (tries === 5 || !String(error).includes("ADDRESS_IN_USE")) throw error;
        }
      }
    },
    async kill() {
      const { child, ended } = started();
      child.kill("SIGKILL");
      await ended;
    },
    async stop() {
      const { child, ended } = started();
      child.kill("SIGTERM");
      return await ended;
    },
    async report() {
      const answer = await fetch(`${agent.url}/v1/report`, { headers: { connection: "close" } });
      return (await answer.json()) as NodeReport;
    },
    async vm(vm) {
      const found = (await agent.report()).vms.find((each) => each.name === vm);
      if (found === undefined) throw new Error(`${name} has no ${vm}`);
      return found;
    },
    serial: (vm) => readFile(join(dataFolder, "vms", vm, "logs/console.log"), "latin1").catch(() => ""),
  };
  await agent.start();
  return agent;
}

/** Below the ports that the kernel gives to outgoing connections: an agent that is away for a moment finds it free again. */
async function aFreePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

const countsIn = (serial: string): number => [...serial.matchAll(/COUNTER \d+\s/g)].length;

/** How often a guest was started, tiny or rehearsed. */
export const bootsIn = (serial: string): number => [...serial.matchAll(/^(TINY|NOOP)-START/gm)].length;

/** It lives, and goes on living: says another number after this moment. */
export async function countsOn(agent: SystemAgent, vm: string): Promise<void> {
  const before = countsIn(await agent.serial(vm));
  await until(`${vm} counts on`, async () => countsIn(await agent.serial(vm)) > before, 60_000);
}
