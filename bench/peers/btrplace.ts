/** BtrPlace on a fleet, as a program: fetched by Maven and compiled into the run's own folder when first asked for. */
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type CommandOptions, runCommand, type Sample } from "../measure.ts";
import { onPath } from "../on-path.ts";
import type { Bench } from "../scenario.ts";

export interface Peer {
  /** Rejects when it says nothing. `values`: moves, mib; no moves: no plan within the limit. */
  plan(fleetFile: string, limitSeconds: number): Promise<Sample>;
}

const FETCH_MS = 300_000;

/** Or a sentence saying why it cannot be had here. */
export async function fetchBtrPlace({ scratch, signal, ours, say }: Bench): Promise<Peer | string> {
  if (onPath("mvn") === null || onPath("javac") === null) return "mvn and a JDK are not on the PATH";
  const folder = join(scratch, "btrplace");
  const options: CommandOptions = { signal, env: ours.env, cwd: folder, timeoutMs: FETCH_MS };
  try {
    say("fetching BtrPlace");
    await mkdir(folder);
    await cp(join(import.meta.dirname, "btrplace"), folder, { recursive: true });
    await runCommand("mvn", ["-q", "-B", "generate-resources"], options);
    await runCommand("javac", ["-cp", "lib/*", "-d", "classes", "PlanFleet.java"], options);
  } catch (error) {
    signal.throwIfAborted();
    return `BtrPlace could not be had: ${String(error).split("\n")[0]}`;
  }
  return {
    async plan(fleetFile, limitSeconds) {
      const java = ["-XX:+UseSerialGC", "-Xmx6g", "-Xss64m", "-cp", "classes:lib/*", "PlanFleet", fleetFile];
      const sample = await runCommand("java", [...java, String(limitSeconds)], {
        ...options,
        timeoutMs: limitSeconds * 3_000 + 60_000,
      });
      const said = JSON.parse(sample.did.trim().split("\n").at(-1) ?? "{}");
      return { ...sample, cpuMs: said.cpuMs, did: said.status, values: { moves: said.moves, mib: said.mib } };
    },
  };
}
