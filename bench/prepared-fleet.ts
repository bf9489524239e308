/** Manifests in a folder (a git work tree where git is installed, as fleets are) and the reports of their nodes, made once for all scenarios. */
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { loadFleet } from "../src/turn/read-fleet.ts";
import { writeReports } from "./canned-reports.ts";
import { type FleetSize, fleetFiles, homeOf } from "./fleet-texts.ts";

export interface PreparedFleet extends FleetSize {
  readonly manifests: string;
  readonly reports: string;
  /** Where the command looks for the agents. */
  readonly sockets: string;
}

const prepared = new Map<string, Promise<PreparedFleet>>();

export function prepareFleet(scratch: string, size: FleetSize): Promise<PreparedFleet> {
  const folder = join(scratch, `f${size.vms}`);
  const fleet = prepared.get(folder) ?? make(folder, size);
  prepared.set(folder, fleet);
  return fleet;
}

async function make(folder: string, size: FleetSize): Promise<PreparedFleet> {
  const fleet = {
    ...size,
    manifests: join(folder, "manifests"),
    reports: join(folder, "reports"),
    sockets: join(folder, "s"),
  };
  const folders = new Set<string>();
  for (const { path, text } of fleetFiles(size, fleet.sockets)) {
    const file = join(fleet.manifests, path);
    if (!folders.has(dirname(file))) await mkdir(dirname(file), { recursive: true });
    folders.add(dirname(file));
    await writeFile(file, text);
  }
  commitAll(fleet.manifests);
  const { desired } = await loadFleet({ kind: "folder", path: fleet.manifests }, new AbortController().signal);
  const index = (name: string) => Number(name.slice(-5));
  await writeReports(fleet.reports, desired, (vm) => homeOf(index(vm.name), size));
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
