/** Runs the command line: in this process (fast), or as a child (`bin/run.js`: exit codes, signals, pipes as a shell sees them). */
import { type ChildProcess, spawn } from "node:child_process";
import { format } from "node:util";
import { main } from "../../src/commands/main.ts";
import { BUILT_COMMAND } from "./built.ts";
import "./own-cache.ts";

const ROOT = new URL("../../", import.meta.url);

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** In this process, one at a time: it listens in on stdout and stderr. Without a terminal, whatever the tests run in. */
export async function odorobo(...argv: string[]): Promise<Outcome> {
  const captured = { stdout: "", stderr: "" };
  const before = { exitCode: process.exitCode, noColour: process.env.NO_COLOR };
  // Help is printed through console.log, which the test runner keeps to itself.
  const { log } = console;
  console.log = (...texts: unknown[]) => void process.stdout.write(`${format(...texts)}\n`);
  const restore = [listenIn("stdout", captured), listenIn("stderr", captured), () => Object.assign(console, { log })];
  process.exitCode = 0;
  process.env.NO_COLOR = "1";
  try {
    await main(argv, { root: ROOT, table: "src/commands/table.ts" });
    return { code: Number(process.exitCode), ...captured };
  } finally {
    for (const undo of restore) undo();
    process.exitCode = before.exitCode;
    if (before.noColour === undefined) delete process.env.NO_COLOR;
    else process.env.NO_COLOR = before.noColour;
  }
}

function listenIn(name: "stdout" | "stderr", captured: { stdout: string; stderr: string }): () => void {
  const stream = process[name];
  const { write, isTTY } = stream;
  const decoder = new TextDecoder();
  stream.isTTY = false;
  stream.write = ((chunk: string | Uint8Array) => {
    captured[name] += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    return true;
  }) as typeof stream.write;
  return () => {
    stream.write = write;
    stream.isTTY = isTTY;
  };
}

export interface Running extends Disposable {
  readonly child: ChildProcess;
  /** So far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the output once it holds the text; rejects when the process ends first or after the deadline. */
  waitFor(stream: "stdout" | "stderr", text: string): Promise<string>;
  readonly ended: Promise<Outcome>;
}

/** A machine that is busy with many tests at once may need long for one process. */
const DEADLINE_MS = 60_000;

/** As a child. Disposing kills it, should it still run. `through`: a program that starts it, such as setpriv. */
export function startOdorobo(
  argv: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string; through?: readonly string[] } = {},
): Running {
  const [command, ...args] = [...(options.through ?? []), process.execPath, BUILT_COMMAND, ...argv] as [
    string,
    ...string[],
  ];
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, NODE_ENV: "production", ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const texts = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      texts[name] += text;
      for (const listener of listeners) listener();
    });
  }
  child.stdin.on("error", () => {});
  if (options.input !== undefined) child.stdin.end(options.input);
  const ended = new Promise<Outcome>((resolve) => child.once("close", (code) => resolve({ code, ...texts })));
  return {
    child,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    ended,
    waitFor: (stream, text) =>
      new Promise((resolve, reject) => {
        const fail = (why: string) => {
          clearTimeout(timer);
          listeners.delete(look);
          reject(new Error(`${why} before ${stream} held ${JSON.stringify(text)}\n${texts.stdout}\n${texts.stderr}`));
        };
        const look = () => {
          if (!texts[stream].includes(text)) return;
          clearTimeout(timer);
          listeners.delete(look);
          resolve(texts[stream]);
        };
        const timer = setTimeout(() => fail("deadline"), DEADLINE_MS);
        listeners.add(look);
        look();
        void ended.then(() => listeners.has(look) && fail("it ended"));
      }),
    [Symbol.dispose]: () => {
      child.kill("SIGKILL");
    },
  };
}
