/** One node's agent as a process of its own, which the harness may kill, end and freeze, and which must never end by itself. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import type { NodeReport } from "../src/model/observed-state.ts";
import { buildCommand } from "../test/support/build-command.ts";
import { isAlive } from "../test/support/system-leftovers.ts";
import { until } from "../test/support/until.ts";

/** A machine that is busy with much else starts a process slowly. */
const START_MS = 60_000;
/** Stopping waits for what is being done: at most a boot, which has its own deadlines. */
const STOP_MS = 90_000;
const ANSWER_MS = 30_000;

export interface AgentPlace {
  readonly name: string;
  /** Where it answers; people reach it by its port, if it has one. */
  readonly socket: string;
  readonly port: number | null;
  readonly dataFolder: string;
  readonly runFolder: string;
  readonly logFile: string;
  readonly flags: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export class FaultyAgent {
  readonly place: AgentPlace;
  readonly #onSurprise: (what: string) => void;
  #child: ChildProcess | null = null;
  #mayEnd = true;
  #answers = false;
  isFrozen = false;

  constructor(place: AgentPlace, onSurprise: (what: string) => void) {
    this.place = place;
    this.#onSurprise = onSurprise;
  }

  get name(): string {
    return this.place.name;
  }
  get url(): string {
    const { port, socket } = this.place;
    return port === null ? `unix://${socket}` : `http://127.0.0.1:${port}`;
  }
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }
  /** It answers, as far as we know. */
  get isUp(): boolean {
    return this.#child !== null && this.#answers && !this.isFrozen;
  }

  /** Resolves when it answers. Rejects when it ends first, with what it said; `mayRefuse`: that is no surprise then. */
  async start({ mayRefuse = false } = {}): Promise<void> {
    if (this.#child !== null) throw new Error(`the agent ${this.name} runs already`);
    const { name, socket, port, dataFolder, runFolder, flags, env, logFile } = this.place;
    const log = openSync(logFile, "a");
    const listens = [`unix://${socket}`, ...(port === null ? [] : [`127.0.0.1:${port}`])];
    const places = ["--data", dataFolder, "--run", runFolder, ...listens.flatMap((each) => ["--listen", each])];
    const child = spawn(process.execPath, [await buildCommand(), "agent", "--name", name, ...places, ...flags], {
      stdio: ["ignore", "pipe", log],
      env,
      // A Ctrl-C is for the harness alone.
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    this.#mayEnd = mayRefuse;
    this.#answers = false;
    this.isFrozen = false;
    const answers = Promise.withResolvers<void>();
    child.stdout?.setEncoding("utf8").on("data", (text: string) => text.includes(" ready on ") && answers.resolve());
    child.once("exit", (code, signal) => {
      if (this.#child === child) this.#child = null;
      const what = `the agent ${name} ended by itself: ${signal ?? `exit ${code}`}\n${this.lastWords()}`;
      if (!this.#mayEnd) this.#onSurprise(what);
      answers.reject(new Error(what));
    });
    const deadline = setTimeout(() => answers.reject(new Error(`${name} does not answer in time`)), START_MS);
    try {
      await answers.promise;
      this.#mayEnd = false;
      this.#answers = true;
    } finally {
      clearTimeout(deadline);
    }
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** As systemd ends it. Returns its exit code. */
  async stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  freeze(): void {
    this.isFrozen = true;
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.isFrozen = false;
    this.#child?.kill("SIGCONT");
  }

  async report(): Promise<NodeReport> {
    return (await this.ask("GET", "/v1/report")).body as NodeReport;
  }

  /** Rejects when it cannot be reached or does not answer in time. `body`: as parsed. */
  ask(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: unknown }> {
    return new Promise((resolve, reject) => {
      const call = request(
        {
          socketPath: this.place.socket,
          method,
          path,
          agent: false,
          signal: AbortSignal.timeout(ANSWER_MS),
          headers: { "content-type": "application/json" },
        },
        (answer) => {
          let text = "";
          answer.setEncoding("utf8").on("data", (part: string) => {
            text += part;
          });
          answer.on("error", reject);
          answer.on("end", () => {
            try {
              resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) });
            } catch (error) {
              reject(error);
            }
          });
        },
      );
      call.on("error", reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** What it holds of the host. Null while it does not run. */
  holds(): { readonly files: number; readonly residentMiB: number } | null {
    if (this.pid === null) return null;
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return {
      files: readdirSync(`/proc/${this.pid}/fd`).length,
      residentMiB: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024,
    };
  }

  log(): Promise<string> {
    return readFile(this.place.logFile, "utf8").catch(() => "");
  }

  lastWords(): string {
    try {
      return readFileSync(this.place.logFile, "utf8").trimEnd().split("\n").slice(-12).join("\n");
    } catch {
      return "";
    }
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === null) return null;
    this.#mayEnd = true;
    this.#answers = false;
    const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
    child.kill(signal);
    if (this.isFrozen && signal !== "SIGKILL") this.thaw();
    const deadline = setTimeout(() => {
      this.#onSurprise(`the agent ${this.name} does not end within ${STOP_MS / 1000} s of ${signal}`);
      child.kill("SIGKILL");
    }, STOP_MS);
    const code = await ended;
    clearTimeout(deadline);
    this.isFrozen = false;
    await until("the process is gone", () => !isAlive(child.pid as number), 10_000);
    return code;
  }
}
