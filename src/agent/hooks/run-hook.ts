/**
 * One hook: started without a shell in a process group of its own, told its input, listened to, and ended with its whole
 * group when it takes too long.
 *
 * Invariant: when it resolves, the hook has ended. What it left in the background keeps no pipe of ours open.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { isErrno } from "../../model/errors.ts";

export interface HookRun {
  readonly path: string;
  readonly input: string;
  readonly point: string;
  readonly vm: string;
  readonly deadlineMs: number;
}

export interface HookEnd {
  /** What it wrote to stdout and stderr, line by line, without control characters; cut off at the front. */
  readonly output: readonly string[];
  /** As the end of a sentence: `ended with status 3`; null: it succeeded. */
  readonly failure: string | null;
}

/** More than a hook has to say; one that goes on for ever must not fill the agent's memory. */
const MAX_OUTPUT_BYTES = 64 * 1024;
const MAX_LINES = 200;

/** Rejects with the signal's reason, after the hook has ended. */
export async function runHook(run: HookRun, signal: AbortSignal): Promise<HookEnd> {
  signal.throwIfAborted();
  const child = spawn(run.path, [], {
    cwd: "/",
    // Nothing of the agent's own environment but the search path: it may hold the agent's secrets.
    env: {
      PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin",
      LANG: "C.UTF-8",
      ODOROBO_HOOK: run.point,
      ODOROBO_VM: run.vm,
    },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const output = listen(child);
  // A hook that does not read its input closes the pipe: that is its business.
  child.stdin?.on("error", () => {});
  child.stdin?.end(run.input);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killGroup(child);
  }, run.deadlineMs);
  const onAbort = () => killGroup(child);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const end = await ended(child);
    signal.throwIfAborted();
    const failure = isLate ? `did not end within ${run.deadlineMs / 1000} s and was killed` : end;
    return { output: output(), failure };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.destroy();
  }
}

/** How it failed; null: it did not. */
function ended(child: ChildProcess): Promise<string | null> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      resolve(
        isErrno(error, "ENOEXEC")
          ? "is no program: does its first line name one?"
          : `could not be started: ${error.message}`,
      );
    });
    let isRead = false;
    child.once("exit", (code, by) => {
      const how = by !== null ? `was killed by ${by}` : code === 0 ? null : `ended with status ${code}`;
      const done = () => {
        if (isRead) return;
        isRead = true;
        resolve(how);
      };
      child.once("close", done);
      // What it left in the background may hold its output open; what it wrote itself is there by now.
      setTimeout(done, 100).unref();
    });
  });
}

function listen(child: ChildProcess): () => readonly string[] {
  let text = "";
  for (const pipe of [child.stdout, child.stderr]) {
    pipe?.setEncoding("utf8");
    pipe?.on("error", () => {});
    pipe?.on("data", (chunk: string) => {
      text = (text + chunk).slice(-MAX_OUTPUT_BYTES);
    });
  }
  return () =>
    text
      .split("\n")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal.
      .map((line) => line.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim())
      .filter((line) => line !== "")
      .slice(-MAX_LINES);
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}
