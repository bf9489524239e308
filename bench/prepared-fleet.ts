/**
 * Manifests in a folder (a git work tree where git is installed, as fleets are) and the reports of their nodes, made once for all
 * scenarios. A tree that is compared gets the same manifests; what its agents report is in its own words.
 */
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type FleetSize, fleetFiles } from "./fleet-texts.ts";
import { runProcess } from "./measure.ts";
import type { Bench } from "./scenario.ts";
import type { Tree } from "./tree.ts";

export interface PreparedFleet extends FleetSize {
  readonly manifests: string;
  readonly reports: string;
  /** Where the command looks for the agents. */
  readonly sockets: string;
}

const prepared = new Map<string, Promise<PreparedFleet>>();

export function prepareFleet(tree: Tree, size: FleetSize, bench: Bench): Promise<PreparedFleet> {
  const folder = join(tree.scratch, `f${size.vms}`);
  const fleet = prepared.get(folder) ?? make(folder, tree, size, bench);
  prepared.set(folder, fleet);
  return fleet;
}

async function make(folder: string, tree: Tree, size: FleetSize, bench: Bench): Promise<PreparedFleet> {
  const fleet = {
    ...size,
    manifests: join(folder, "manifests"),
    reports: join(folder, "reports"),
    sockets: join(folder, "s"),
  };
  bench.say(`making the manifests of ${size.vms} VMs and the reports of their nodes ${tree.label}`.trimEnd());
  const folders = new Set<string>();
  for (const { path, text } of fleetFiles(size, fleet.sockets)) {
    const file = join(fleet.manifests, path);
    if (!folders.has(dirname(file))) await mkdir(dirname(file), { recursive: true });
    folders.add(dirname(file));
    await writeFile(file, text);
  }
  commitAll(fleet.manifests);
  const args = [tree.root, fleet.manifests, fleet.reports, String(size.nodes)];
  await runProcess("write-reports", args, { ...bench.ours, env: tree.env }, bench.signal);
  return fleet;
}

function commitAll(folder: string): void {
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=bench", "-c", "user.email=bench@example.net", ...args], {
      cwd: folder,
      stdio: "ignore",
      env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
    });
  try {
    git("init", "--quiet");
    git("add", ".");
    git("commit", "--quiet", "--no-gpg-sign", "-m", "a fleet");
  } catch {
    // Without git a folder is a folder.
  }
}
