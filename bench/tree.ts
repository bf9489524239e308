/** The sources that are measured: the work tree, and with `--against REV` those of a commit beside it, each with caches of its own. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT, withThisNode } from "./command-line.ts";

export interface Tree {
  /** As it stands in the table: the revision; empty: the work tree. */
  readonly label: string;
  readonly root: string;
  /** This tree's own, gone at the end: what it caches, and what scenarios make for it. */
  readonly scratch: string;
  readonly env: NodeJS.ProcessEnv;
}

export const cacheOf = (tree: Tree): string => join(tree.scratch, "cache");

/** `quick`: with what others have compiled, as nothing is judged. */
export const workTree = (scratch: string, quick: boolean): Promise<Tree> => toTree("", ROOT, join(scratch, "w"), quick);

/**
 * The files of a commit, with the packages of the work tree where its lock file is the same, else with its own. Needs git.
 * Rejects for what is no commit, or one from before the bench had processes to compare with.
 */
export async function checkOut(revision: string, scratch: string, quick: boolean, signal: AbortSignal): Promise<Tree> {
  const root = join(scratch, "base");
  await mkdir(root);
  const git = async (args: string[]) => {
    const env = { ...process.env, GIT_INDEX_FILE: join(scratch, "base-index") };
    return (await run("git", args, { cwd: ROOT, env, signal })).stdout.trim();
  };
  const commit = await git(["rev-parse", "--verify", "--quiet", `${revision}^{commit}`]).catch(() => {
    throw new Error(`${revision} is no commit of this repository`);
  });
  // By an index of its own: neither a branch nor a registered work tree is left behind.
  await git(["read-tree", commit]);
  await git(["checkout-index", "--all", `--prefix=${root}/`]);
  if (!existsSync(join(root, "bench/processes/agent-guests.ts")))
    throw new Error(`${revision} has no bench that can be compared with this one`);
  await addPackages(root, signal);
  return await toTree(revision, root, join(scratch, "b"), quick);
}

async function addPackages(root: string, signal: AbortSignal): Promise<void> {
  const lockOf = (folder: string) => readFile(join(folder, "package-lock.json"), "utf8");
  if ((await lockOf(root)) === (await lockOf(ROOT))) {
    await symlink(join(ROOT, "node_modules"), join(root, "node_modules"));
    return;
  }
  await run("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: root, signal });
}

async function toTree(label: string, root: string, scratch: string, quick: boolean): Promise<Tree> {
  await mkdir(scratch);
  const env = {
    ...withThisNode(process.env),
    XDG_CACHE_HOME: join(scratch, "cache"),
    XDG_STATE_HOME: join(scratch, "state"),
    NODE_COMPILE_CACHE: (quick && process.env.NODE_COMPILE_CACHE) || join(scratch, "compiled"),
    NO_COLOR: "1",
  };
  return { label, root, scratch, env };
}

const run = promisify(execFile);
