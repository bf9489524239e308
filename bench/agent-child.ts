/** An agent as a server runs it: the installed command in a process of its own, asked over loopback. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { NodeReport, VmReport } from "../src/model/observed-state.ts";
import type { VmSpec } from "../src/model/vm-spec.ts";
import type { OperationArgs, OperationResult } from "../src/wire/operations.ts";

export interface AgentChild extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  put(vm: string, spec: VmSpec): Promise<void>;
  operate(vm: string, operation: OperationArgs): Promise<OperationResult>;
  report(): Promise<NodeReport>;
  vm(name: string): Promise<VmReport>;
  /** Of the process now, in MB of 1,000,000 bytes. */
  residentMB(): Promise<number>;
}

export async function startAgentChild(
  installed: string,
  folder: string,
  flags: readonly string[],
  { name = "n1", env = process.env }: { readonly name?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<AgentChild> {
  const folders = ["--data", join(folder, "d"), "--run", join(folder, "r")];
  const listen = ["--name", name, "--listen", "127.0.0.1:0", "--log-level", "warn"];
  const child = spawn(join(installed, "bin/run.js"), ["agent", ...listen, ...folders, ...flags], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await readyUrl(child);
  let sequence = 0;
  const ask = async <Answer>(method: string, path: string, body?: object): Promise<Answer> => {
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const answer = await fetch(url + path, { method, ...init });
    const value = (await answer.json()) as Answer;
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(value)}`);
    return value;
  };
  const done = (result: OperationResult): OperationResult => {
    if (result.outcome !== "done") throw new Error(`${result.kind} of ${result.vm}: ${JSON.stringify(result.error)}`);
    return result;
  };
  return {
    url,
    pid: child.pid as number,
    async put(vm, spec) {
      const request = { id: `${++sequence}`, fleet: null, commit: null, generation: sequence, spec, files: {} };
      done(await ask("PUT", `/v1/vms/${vm}`, { ...request, expect: null }));
    },
    operate: async (vm, operation) =>
      done(await ask("POST", `/v1/vms/${vm}/operations`, { id: `${++sequence}`, expect: null, ...operation })),
    report: () => ask("GET", "/v1/report"),
    vm: (name) => ask("GET", `/v1/vms/${name}`),
    async residentMB() {
      const status = await readFile(`/proc/${child.pid}/status`, "utf8");
      return (Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024) / 1e6;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

async function readyUrl(child: ChildProcess): Promise<string> {
  let said = "";
  for await (const chunk of child.stdout ?? []) {
    said += chunk;
    const url = / ready on (\S+)/.exec(said)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error("the agent ended before it was ready");
}
