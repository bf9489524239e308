/**
 * A git that talks to somebody else, as a process that can be ended whole: with the ssh or the helper that it has started, at a
 * deadline, and with its exit code told. What it says may be a server's words.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { isErrno, OdoroboError } from "../../model/errors.ts";

export interface GitProcess {
  readonly args: readonly string[];
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** A session of its own: no terminal that ssh could ask a question at, and ssh ends with it. */
  readonly isAlone: boolean;
  readonly deadlines: Deadlines;
}

export interface Deadlines {
  /** The longest that it may say nothing. */
  readonly quietMs: number;
  readonly totalMs: number;
}

export interface GitExit {
  /** Null: a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** It was ended because a deadline had passed. */
  readonly isLate: boolean;
}

/** Rejects with the reason of the signal, and with SOURCE_UNREADABLE where there is no git. */
export async function runGit(
  { args, folder, env, isAlone, deadlines }: GitProcess,
  signal: AbortSignal,
): Promise<GitExit> {
  signal.throwIfAborted();
  const child = spawn("git", args, { cwd: folder, env, detached: isAlone, stdio: ["ignore", "pipe", "pipe"] });
  const late = new AbortController();
  const noise = setTimeout(() => late.abort(), deadlines.quietMs);
  const total = setTimeout(() => late.abort(), deadlines.totalMs);
  const stop = AbortSignal.any([signal, late.signal]);
  const end = () => void endGroup(child, isAlone);
  try {
    const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        noise.refresh();
      });
      return chunks;
    });
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    child.once("error", reject).once("close", resolve);
    stop.addEventListener("abort", end, { once: true });
    const code = await promise;
    signal.throwIfAborted();
    return { code, stdout: textOf(stdout), stderr: textOf(stderr), isLate: late.signal.aborted };
  } catch (cause) {
    signal.throwIfAborted();
    if (!isErrno(cause, "ENOENT")) throw cause;
    throw new OdoroboError("SOURCE_UNREADABLE", "git is not installed", { cause, hint: "apt-get install git" });
  } finally {
    stop.removeEventListener("abort", end);
    clearTimeout(noise);
    clearTimeout(total);
  }
}

const textOf = (chunks: readonly Buffer[] = []): string => Buffer.concat(chunks).toString("utf8");

/** Time for git to remove what it has half written. */
const TIDY_MS = 2_000;

async function endGroup(child: ChildProcess, isAlone: boolean): Promise<void> {
  const send = (signal: NodeJS.Signals) => {
    if (child.pid === undefined) return;
    try {
      process.kill(isAlone ? -child.pid : child.pid, signal);
    } catch (error) {
      // All of them have ended.
      if (!isErrno(error, "ESRCH")) throw error;
    }
  };
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  send("SIGTERM");
  for (const end = performance.now() + TIDY_MS; !isOver() && performance.now() < end; ) await sleep(20);
  if (isAlone || !isOver()) send("SIGKILL");
  // What holds the pipes by now is not ours to end, nor to wait for.
  for (const stream of [child.stdout, child.stderr]) stream?.destroy();
}
