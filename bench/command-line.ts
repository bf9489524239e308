/** The command as its users start it: by the first line of its file, with the Node that runs the bench. */
import { readFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "..");

/** What the first line of a tree's `bin/run.js` gives Node. Processes that stand for the command are given the same. */
export function nodeFlags(root: string): string[] {
  const [firstLine = ""] = readFileSync(join(root, "bin/run.js"), "utf8").split("\n");
  return firstLine.split(" ").filter((word) => word.startsWith("--"));
}

/** `env node` finds this one first. */
export const withThisNode = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  ...env,
  PATH: dirname(process.execPath) + delimiter + (env.PATH ?? ""),
});
