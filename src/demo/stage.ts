/** Where the demo is played: headings, and commands that are shown as a person would type them and then really run. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

export interface Stage {
  readonly heading: (text: string) => void;
  readonly say: (text: string) => void;
  /** Shows the command, runs it with its own output on this terminal, and returns its exit code. */
  readonly odorobo: (...args: string[]) => Promise<number>;
  /** Runs a command silently for what it says; its document. */
  readonly ask: <Document>(...args: string[]) => Promise<Document>;
}

export interface StageOptions {
  /** `node` and the entry point that the demo itself was started with. */
  readonly command: readonly [string, string];
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly print: (text: string) => void;
}

export function setStage({ command: [node, entry], folder, signal, print }: StageOptions): Stage {
  let act = 0;
  const start = (args: readonly string[], output: "inherit" | "pipe"): ChildProcess => {
    signal.throwIfAborted();
    return spawn(node, [entry, ...args], {
      cwd: folder,
      stdio: ["ignore", output, output],
      // What is played leaves nothing among the runs of whoever looks on.
      env: { ...process.env, ODOROBO_STATE: join(folder, ".odorobo-runs") },
    });
  };
  return {
    heading: (text) => print(`\n── ${++act}. ${text} ${"─".repeat(Math.max(0, 90 - text.length))}`),
    say: print,
    async odorobo(...args) {
      print(`\n$ odorobo ${args.join(" ")}`);
      return await exitCode(start(args, "inherit"));
    },
    async ask(...args) {
      const child = start([...args, "--json"], "pipe");
      let output = "";
      child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
      });
      child.stderr?.resume();
      await exitCode(child);
      return JSON.parse(output);
    },
  };
}

export const exitCode = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
