/** The demo's own copy of the example fleet: on free ports, in a git repository of its own, and with the hypervisor that is here. */
import { spawn } from "node:child_process";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { OdoroboError } from "../model/errors.ts";
import { PACKAGE_ROOT } from "../platform/package-root.ts";
import { exitCode } from "./stage.ts";

const EXAMPLE = fileURLToPath(new URL("examples/three-nodes/fleet", PACKAGE_ROOT));

export interface ScratchFleet {
  readonly folder: string;
  /** Replaces a text in a file. Throws when it is not there: a demo that changes nothing would show nothing. */
  readonly edit: (file: string, from: string, to: string) => Promise<void>;
  /** Removes a file; what is returned puts it back, with a text in it replaced. */
  readonly remove: (file: string) => Promise<(from: string, to: string) => Promise<void>>;
  readonly commit: (message: string) => Promise<void>;
}

/** `urls`: where the agents of n1, n2 and n3 answer. */
export async function makeScratchFleet(
  folder: string,
  urls: Readonly<Record<string, string>>,
  hypervisor: "qemu" | "noop",
): Promise<ScratchFleet> {
  await cp(EXAMPLE, folder, { recursive: true });
  const fleet: ScratchFleet = {
    folder,
    async edit(file, from, to) {
      const path = join(folder, file);
      const text = await readFile(path, "utf8");
      if (!text.includes(from)) throw new Error(`${file} of the example fleet does not say "${from}"`);
      await writeFile(path, text.replace(from, to));
    },
    async remove(file) {
      const text = await readFile(join(folder, file), "utf8");
      await rm(join(folder, file));
      return async (from, to) => {
        await writeFile(join(folder, file), text);
        await fleet.edit(file, from, to);
      };
    },
    async commit(message) {
      await git(folder, "add", "--all");
      await git(folder, "commit", "--quiet", "--message", message);
    },
  };
  await fleet.edit("fleet.yaml", "hypervisor: noop", `hypervisor: ${hypervisor}`);
  for (const [index, [, url]] of Object.entries(urls).entries()) {
    await fleet.edit("nodes.yaml", `http://127.0.0.1:1889${index + 1}`, url);
  }
  await git(folder, "init", "--quiet", "--initial-branch", "main");
  await fleet.commit("our fleet");
  return fleet;
}

/** Nobody's configuration is needed for a commit in a scratch folder, and nobody's hooks run in it. */
const IDENTITY = {
  GIT_AUTHOR_NAME: "odorobo demo",
  GIT_AUTHOR_EMAIL: "demo@localhost",
  GIT_COMMITTER_NAME: "odorobo demo",
  GIT_COMMITTER_EMAIL: "demo@localhost",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
};

/** Answers with what git printed. Rejects with SOURCE_UNREADABLE. */
export async function git(folder: string, ...args: string[]): Promise<string> {
  const child = spawn("git", args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, ...IDENTITY },
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    printed += chunk;
  });
  const code = await exitCode(child).catch((cause) => {
    throw new OdoroboError("SOURCE_UNREADABLE", "the demo keeps its fleet in a git repository, and git did not start", {
      cause,
      hint: "install git: apt-get install git",
    });
  });
  if (code !== 0) throw new OdoroboError("SOURCE_UNREADABLE", `git ${args[0]} ended with ${code} in ${folder}`);
  return printed.trim();
}
