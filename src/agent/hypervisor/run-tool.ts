/** Runs a short-lived program of a hypervisor's to its end, without a shell. */
import { execFile } from "node:child_process";

export interface ToolOutcome {
  /** Null: it could not be started, was ended by a signal or by the deadline. */
  readonly code: number | null;
  readonly stdout: string;
  /** The program is not there. */
  readonly missing: boolean;
}

/** A program that does nothing but print takes 50 ms; on a host under full load, seconds. */
const DEADLINE_MS = 20_000;

/** Rejects only when the signal comes. */
export function runTool(
  program: string,
  args: readonly string[],
  { signal, input = "" }: { readonly signal: AbortSignal; readonly input?: string },
): Promise<ToolOutcome> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { signal, timeout: DEADLINE_MS, killSignal: "SIGKILL" }, (error, stdout) => {
      if (signal.aborted) return reject(signal.reason);
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : null;
      resolve({ code, stdout, missing: (error as NodeJS.ErrnoException | null)?.code === "ENOENT" });
    });
    // A program that ends without reading its input is no failure.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
