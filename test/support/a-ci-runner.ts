/** What a CI's runner gives to a job, as far as the examples use it: a checkout, tools on the PATH, and the forge they talk to. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { parseAgentConfig } from "../../src/agent/config.ts";
import { type RunningAgent, startAgent } from "../../src/agent/main.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { BUILT_COMMAND } from "./built.ts";
import "./own-cache.ts";
import { aTempFolder } from "./temp-folder.ts";

const EXAMPLES = join(import.meta.dirname, "../../examples/ci");
export const TOKENS = { observe: "observe-0123456789abcdef", apply: "apply-0123456789abcdef" } as const;

export interface CiRunner extends AsyncDisposable {
  readonly agent: RunningAgent;
  /** The checkout: `ci/`, `fleet/`. */
  readonly workspace: string;
  /** Scratch, as a runner has it. */
  readonly temp: string;
  readonly forge: ForgeStandIn;
  /** What `npm` and `gh` were called with, one line a call. */
  calls(): Promise<readonly string[]>;
  /** Of `fleet/vms.yaml`: these VMs. */
  commit(...vms: readonly string[]): Promise<void>;
  write(path: string, text: string): Promise<string>;
  sh(
    script: string,
    env: Readonly<Record<string, string>>,
  ): Promise<{ readonly code: number | null; readonly said: string }>;
}

export interface ForgeStandIn {
  readonly url: string;
  /** What was put there, by path. */
  readonly files: Map<string, string>;
  readonly requests: readonly {
    readonly method: string;
    readonly path: string;
    readonly headers: IncomingMessage["headers"];
    readonly body: string;
  }[];
}

export async function aCiRunner(fleet: string): Promise<CiRunner> {
  const folder = await aTempFolder();
  const [workspace, temp, bin] = ["workspace", "temp", "bin"].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [join(workspace, "ci"), join(workspace, "fleet"), temp, bin])
    await mkdir(path, { recursive: true });
  for (const script of ["odorobo-plan.sh", "odorobo-apply.sh"])
    await cp(join(EXAMPLES, script), join(workspace, "ci", script));
  const write = async (path: string, text: string) => {
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const accessFile = await write(
    join(folder.path, "access"),
    Object.entries(TOKENS)
      .map(([role, token]) => `${role} ${role} sha256:${sha256(token)}\n`)
      .join(""),
  );
  const agent = await startAgent(
    parseAgentConfig({
      ...{ name: "n1", listen: ["127.0.0.1:0"], hypervisor: ["noop"], supervisor: "spawn", accessFile },
      ...{ data: join(folder.path, "d"), run: join(folder.path, "r"), cpus: 8, memoryMiB: 8192 },
    }),
    { log: silentLogger },
  );
  const log = join(folder.path, "calls");
  const tool = async (name: string, text: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  };
  await tool("odorobo", `exec '${process.execPath}' '${BUILT_COMMAND}' "$@"`);
  await tool("npm", `echo "npm $*" >>'${log}'`);
  await tool("gh", GH(log, temp));
  const forge = await openForge();
  await writeFile(
    join(workspace, "fleet/fleet.yaml"),
    [
      `apiVersion: odorobo.dev/v1\nkind: Fleet\nmetadata: { name: ${fleet} }\nspec:\n  defaults: { hypervisor: noop, memory: 64MiB, boot: { kernel: "builtin:tiny" } }\n`,
      `apiVersion: odorobo.dev/v1\nkind: Node\nmetadata: { name: n1 }\nspec: { address: "${agent.urls[0]}" }\n`,
    ].join("---\n"),
  );
  return {
    ...{ agent, workspace, temp, forge, write },
    calls: async () => (await readFile(log, "utf8").catch(() => "")).split("\n").filter((line) => line !== ""),
    commit: (...vms) =>
      writeFile(
        join(workspace, "fleet/vms.yaml"),
        vms
          .map((name) => `apiVersion: odorobo.dev/v1\nkind: VirtualMachine\nmetadata: { name: ${name} }\nspec: {}\n`)
          .join("---\n"),
      ),
    async sh(script, env) {
      const child = spawn("sh", ["-e", "-c", script], {
        cwd: workspace,
        env: {
          ...{ PATH: `${bin}:${process.env.PATH}`, HOME: folder.path, NODE_ENV: "production", NO_COLOR: "1" },
          XDG_STATE_HOME: join(folder.path, "state"),
          ...(process.env.XDG_CACHE_HOME === undefined ? {} : { XDG_CACHE_HOME: process.env.XDG_CACHE_HOME }),
          ...env,
        },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let said = "";
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (chunk: string) => {
          said += chunk;
        });
      const [code] = (await once(child, "close")) as [number | null];
      return { code, said };
    },
    async [Symbol.asyncDispose]() {
      await forge[Symbol.asyncDispose]();
      await agent[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Artifacts are lines of `$temp/artifacts`; the rest is noted, a comment with its text. */
const GH = (log: string, temp: string): string => `
echo "gh $*" >>'${log}'
test -n "$GH_TOKEN" || exit 4
case $1 in
  api) name=\${2##*name=}; grep -cx -- "$name" '${temp}/artifacts' || true ;;
  pr) while [ "$1" != --body-file ]; do shift; done; cp "$2" '${temp}/comment.md' ;;
esac`;

/** The parts of GitLab's and Forgejo's APIs that the examples call: generic packages, and comments. */
async function openForge(): Promise<ForgeStandIn & AsyncDisposable> {
  const files = new Map<string, string>();
  const requests: { method: string; path: string; headers: IncomingMessage["headers"]; body: string }[] = [];
  const server = createServer(async (request, response) => {
    const { method = "", url: path = "", headers } = request;
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    requests.push({ method, path, headers, body });
    const isKnown = headers["job-token"] === "job-secret" || headers.authorization === "token packages-secret";
    const isTaken = method === "PUT" && files.has(path) && path.startsWith("/api/packages/");
    if (isKnown && method === "PUT" && !isTaken) files.set(path, body);
    const status = !isKnown ? 401 : isTaken ? 409 : method === "GET" ? (files.has(path) ? 200 : 404) : 201;
    response.writeHead(status).end(method === "GET" ? files.get(path) : "");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    ...{ files, requests },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
