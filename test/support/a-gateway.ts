/** `odorobo gateway` as a process, what it logs, and what its API answers. */
import { type Outcome, type Running, startOdorobo } from "./run-odorobo.ts";
import { until } from "./until.ts";

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly fleet?: string;
  readonly revision?: string;
  readonly standing?: string;
  readonly run?: string;
  readonly [field: string]: unknown;
}

export interface AGateway extends Disposable {
  readonly running: Running;
  /** Resolves when it answers. */
  url(): Promise<string>;
  log(): readonly LogLine[];
  /** Waits for a line of which this holds. */
  logs(what: string, holds: (line: LogLine) => boolean): Promise<LogLine>;
  get<Document>(path: string): Promise<Document>;
  post(path: string, body?: object, token?: string): Promise<Response>;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM. */
  stop(): Promise<Outcome>;
}

/** On a machine that is busy with many tests. */
const DEADLINE_MS = 90_000;

export function aGateway(...argv: string[]): AGateway {
  const running = startOdorobo(["gateway", "--listen", "127.0.0.1:0", "--log-format", "json", ...argv]);
  const log = () =>
    running
      .stderr()
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as LogLine);
  const url = async () => {
    const text = await running.waitFor("stdout", "ready on ");
    return /ready on (\S+)/.exec(text)![1]!;
  };
  return {
    running,
    url,
    log,
    async logs(what, holds) {
      let found: LogLine | undefined;
      try {
        await until(
          what,
          () => {
            found = log().find(holds);
            if (found === undefined && running.child.exitCode !== null) throw new Error(`it ended before: ${what}`);
            return found !== undefined;
          },
          DEADLINE_MS,
        );
      } catch (error) {
        throw new Error(`${String(error)}\n${running.stdout()}\n${running.stderr()}`);
      }
      return found!;
    },
    async get<Document>(path: string) {
      return (await (await fetch((await url()) + path)).json()) as Document;
    },
    async post(path, body = {}, token) {
      const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
      return await fetch((await url()) + path, { method: "POST", headers, body: JSON.stringify(body) });
    },
    signal: (signal) => void running.child.kill(signal),
    async stop() {
      running.child.kill("SIGTERM");
      return await running.ended;
    },
    [Symbol.dispose]: () => running[Symbol.dispose](),
  };
}
