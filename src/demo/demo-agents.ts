/** Three agents on this machine, each a process of its own with its own folders, as three servers would have them. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isErrno, OdoroboError } from "../model/errors.ts";
import { byName } from "../model/names.ts";

export interface DemoAgent {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
}

export interface AgentPlace {
  readonly command: readonly [string, string];
  /** Scratch folder of the demo. */
  readonly folder: string;
}

/** An agent that is not up by then will not come up. */
const START_DEADLINE_MS = 20_000;
const POLL_MS = 20;

/** `url`: where it answered before; null: any free port. Detached: it goes on when the demo ends (`--keep`). */
export async function startAgent(place: AgentPlace, name: string, url: string | null): Promise<DemoAgent> {
  const folder = join(place.folder, name);
  mkdirSync(folder, { recursive: true });
  const logFile = join(folder, "agent.log");
  const log = openSync(logFile, "w");
  const listen = url === null ? "127.0.0.1:0" : new URL(url).host;
  const [node, entry] = place.command;
  const args = ["--name", name, "--listen", listen, "--data", join(folder, "data"), "--run", join(folder, "run")];
  const size = ["--cpus", "4", "--memory", "2GiB", "--log-format", "json"];
  const child = spawn(node, [entry, "agent", ...args, ...size], { detached: true, stdio: ["ignore", log, log] });
  child.unref();
  let ended: string | null = null;
  child.on("error", (error) => {
    ended = error.message;
  });
  child.on("exit", (code, signal) => {
    ended = `it ended with ${code ?? signal}`;
  });
  const deadline = performance.now() + START_DEADLINE_MS;
  while (ended === null && performance.now() < deadline) {
    const ready = / ready on (http:\S+)/.exec(readFileSync(logFile, "utf8"));
    if (ready?.[1] && child.pid !== undefined) {
      const agent = { name, url: ready[1].replace(/,$/, ""), pid: child.pid };
      await writeFile(noteOf(place.folder, name), JSON.stringify(agent));
      return agent;
    }
    await delay(POLL_MS);
  }
  throw new OdoroboError(
    "AGENT_UNREACHABLE",
    `the demo's agent ${name} did not start: ${ended ?? "it never said it was ready"}`,
    {
      hint: `its log is ${logFile}`,
    },
  );
}

/** SIGKILL is a power cut for the agent; its guests go on. */
export async function stopAgent(agent: Pick<DemoAgent, "pid">, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  try {
    process.kill(agent.pid, signal);
    while (isAlive(agent.pid)) await delay(POLL_MS);
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}

/** The nodes of a demo that an agent was ever started for. */
export async function startedNodes(folder: string): Promise<string[]> {
  const entries = await readdir(folder).catch((cause) => {
    throw notADemo(folder, cause);
  });
  return entries.filter((name) => existsSync(noteOf(folder, name))).sort(byName);
}

export const notADemo = (folder: string, cause?: unknown): OdoroboError =>
  new OdoroboError("USAGE", `${folder} is no folder of a demo`, { cause, hint: "odorobo demo --keep printed it" });

/** The agent of a demo that was kept; null when it is down. */
export async function findAgent({ folder }: AgentPlace, name: string): Promise<DemoAgent | null> {
  const agent = JSON.parse(await readFile(noteOf(folder, name), "utf8")) as DemoAgent;
  return isAgent(agent.pid) ? agent : null;
}

const noteOf = (folder: string, name: string): string => join(folder, name, "agent.json");

/** A pid may have been given to somebody else in the meantime. */
function isAgent(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes("agent");
  } catch {
    return false;
  }
}

/** A child that ended and was not yet waited for counts as gone. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
