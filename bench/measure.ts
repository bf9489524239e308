/**
 * How figures are taken: each sample is a process of its own, so that its peak memory and its start-up are its own. The median
 * counts. Machines are noisy: ratios within one run mean more than milliseconds, so what is compared takes turns.
 */
import { fork, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { nodeFlags } from "./command-line.ts";
import type { Told } from "./tell.ts";
import type { Tree } from "./tree.ts";

export interface Sample {
  readonly milliseconds: number;
  /** Null: not known. */
  readonly peakMiB: number | null;
  /** Of all cores together; what the clock says beyond it was waiting, or other people's work. Null: not known. */
  readonly cpuMs: number | null;
  readonly did: string;
  readonly values: Readonly<Record<string, number>>;
}

/** A tree's `bench/processes/<name>.ts`, which calls `tell` once and ends. What names and arguments mean stays the same over revisions. */
export function runProcess(name: string, args: readonly string[], tree: Tree, signal: AbortSignal): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const file = join(tree.root, "bench/processes", `${name}.ts`);
    const child = fork(file, [...args], {
      env: tree.env,
      signal,
      execArgv: nodeFlags(tree.root),
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    let told: Told | null = null;
    child.on("message", (message) => {
      told = message as Told;
    });
    // One that was told to end is waited for: what it still writes must not come after the cleaning up.
    child.on("error", (error) => child.pid === undefined && reject(error));
    child.on("exit", (code, killedBy) => {
      const milliseconds = performance.now() - begun;
      if (told === null || code !== 0)
        return reject(new Error(`${file} ${args.join(" ")} ended with ${code ?? killedBy}`));
      resolve({ values: {}, milliseconds, ...told });
    });
  });
}

export interface CommandOptions {
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** Somebody else's program, or ours as its users start it. `did` is what it wrote. Rejects unless it exits with 0 in time. */
export function runCommand(file: string, args: readonly string[], options: CommandOptions): Promise<Sample> {
  const { cwd, env, signal, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const child = spawn(file, [...args], {
      env,
      signal,
      killSignal: "SIGKILL",
      stdio: ["ignore", "pipe", "pipe"],
      ...(cwd === undefined ? {} : { cwd }),
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    const peak = watchPeak(child.pid);
    child.on("error", (error) => child.pid === undefined && reject(error));
    child.on("close", async (code, killedBy) => {
      const milliseconds = performance.now() - begun;
      if (code !== 0)
        return reject(new Error(`${file} ${args.join(" ")} ended with ${code ?? killedBy}\n${output.slice(-2_000)}`));
      resolve({ milliseconds, peakMiB: await peak, cpuMs: null, did: output, values: {} });
    });
  });
}

/** The kernel's own high-water mark, looked at while the process lives: what comes in its very last moments may be missed. */
async function watchPeak(pid: number | undefined): Promise<number | null> {
  let peak: number | null = null;
  for (;;) {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    const kib = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
    if (kib === undefined) return peak;
    peak = Math.round(Number(kib) / 1024);
    await sleep(20);
  }
}

export async function repeat(runs: number, take: () => Promise<Sample>): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let run = 0; run < runs; run++) samples.push(await take());
  return samples;
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
