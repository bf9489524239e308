/**
 * Random faults against loops: two of them on one fleet, each as on a machine of its own, on rehearsed guests. They are killed at any
 * moment and at boundaries of what they write down, manifests are saved, broken and mended, agents go and come, people approve and
 * refuse. What must hold is looked at from outside: in the agents, and in what the loops have written.
 */
import { rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemClock } from "../../src/platform/clock.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import { commandRun } from "../../src/turn/runs/command-run.ts";
import { aLiveFleet, type LiveFleet } from "../../test/support/a-live-fleet.ts";
import { type ALoop, aLoop } from "../../test/support/a-loop.ts";
import { buildCommand } from "../../test/support/build-command.ts";
import { until } from "../../test/support/until.ts";
import { chanceOf } from "../chance.ts";
import { findViolations } from "./check-runs.ts";

export const LOOP_FAULTS = [
  "save",
  "save",
  "save",
  "delete",
  "break",
  "kill",
  "kill",
  "die-at",
  "die-at",
  "agent-away",
  "approve",
  "approve",
  "approve",
  "refuse",
] as const;
export type LoopFault = (typeof LOOP_FAULTS)[number];

export interface LoopsResult {
  readonly byKind: ReadonlyMap<LoopFault, number>;
  readonly violations: readonly string[];
}

const VMS = ["web-1", "web-2", "web-3", "web-4"];
const CALM_MS = 120_000;
/** Between two faults, at most. */
const PAUSE_MS = 900;
const DELAY = { "noop.odorobo.dev/boot-delay": "150ms" };

class Place {
  readonly store: FileRunStore;
  readonly #place: Parameters<typeof aLoop>[0];
  readonly #program: string;
  loop: ALoop | null = null;

  constructor(fleet: LiveFleet, name: string, program: string) {
    const state = join(fleet.scratch, name);
    this.store = new FileRunStore(state);
    this.#place = { folder: fleet.folder, state, memory: join(state, "loop.json"), leaseSeconds: 2 };
    this.#program = program;
  }
  start(dieAt = 0): void {
    if (this.loop === null || this.loop.isOver()) this.loop = aLoop({ ...this.#place, dieAt }, this.#program);
  }
  async kill(): Promise<void> {
    this.loop?.signal("SIGKILL");
    await this.loop?.ended;
  }
  /** All that wait. Refused by the loop: it was replaced in the same moment. */
  async answer(kind: "approve" | "refuse"): Promise<void> {
    for (const { id, state } of (await this.store.list()).runs)
      if (state.outcome === null && state.wish === "ask")
        await commandRun(this.store, id, { kind, by: "ada" }, systemClock).catch(() => {});
  }
}

export async function runLoops(seed: number, count: number, signal: AbortSignal): Promise<LoopsResult> {
  const chance = chanceOf(seed);
  const program = join(dirname(await buildCommand()), "../dist/loop-to-kill.js");
  const byKind = new Map<LoopFault, number>();
  await using fleet = await aLiveFleet("n1", "n2");
  const places = [new Place(fleet, "a", program), new Place(fleet, "b", program)] as const;
  const wanted = new Map<string, number>();
  const save = async (name: string) => {
    wanted.set(name, 64 * (1 + chance.below(6)));
    await fleet.vm(name, [`memory: ${wanted.get(name)}MiB`], DELAY);
  };
  const violations: string[] = [];
  try {
    for (const name of VMS.slice(0, 2)) await save(name);
    for (const place of places) place.start();
    for (let number = 0; number < count && !signal.aborted; number++) {
      const kind = LOOP_FAULTS[chance.below(LOOP_FAULTS.length)] as LoopFault;
      const place = places[chance.below(2) as 0 | 1];
      byKind.set(kind, (byKind.get(kind) ?? 0) + 1);
      const name = VMS[chance.below(VMS.length)] as string;
      if (kind === "save") await save(name);
      else if (kind === "delete") {
        if (wanted.delete(name)) await fleet.remove(`vms/${name}.yaml`);
      } else if (kind === "break") await writeFile(join(fleet.folder, "vms/broken.yaml"), "kind: [");
      else if (kind === "kill") await place.kill();
      else if (kind === "die-at") {
        await place.kill();
        place.start(1 + chance.below(40));
      } else if (kind === "agent-away") {
        const node = chance.often(0.5) ? "n1" : "n2";
        await fleet.stop(node);
        await pause(chance.below(PAUSE_MS));
        await fleet.comeBack(node);
      } else await place.answer(kind);
      await pause(chance.below(PAUSE_MS));
      if (kind === "break") await rm(join(fleet.folder, "vms/broken.yaml"), { force: true });
      for (const each of places) if (chance.below(3) > 0) each.start();
    }
    await comeToRest(fleet, places, wanted, save);
  } catch (error) {
    violations.push(error instanceof Error ? error.message : String(error));
  } finally {
    for (const place of places) {
      await place.kill();
    }
  }
  violations.push(...(await findViolations(places.map(({ store }) => store))));
  return { byKind, violations };
}

/** All is well from here on, and a person says yes to everything: then all is as the manifests say. */
async function comeToRest(
  fleet: LiveFleet,
  places: readonly Place[],
  wanted: ReadonlyMap<string, number>,
  save: (name: string) => Promise<void>,
): Promise<void> {
  // What was turned down is wanted again when it is saved again.
  for (const name of VMS) await save(name);
  let seen = "";
  await until(
    "all is as the manifests say, and no run is left",
    async () => {
      for (const place of places) {
        place.start();
        await place.answer("approve");
      }
      seen = await worldOf(fleet);
      const isAs = [...wanted].sort().map(([name, memory]) => `${name} running ${memory}`);
      if (seen !== isAs.join(", ")) return false;
      const all = await Promise.all(places.map(({ store }) => store.list()));
      const open = all.flatMap(({ runs }) => runs).filter(({ state }) => state.outcome === null);
      seen += open.map(({ id, state }) => `; ${id} is ${state.wish}`).join("");
      return open.length === 0;
    },
    CALM_MS,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${seen}`);
  });
}

async function worldOf(fleet: LiveFleet): Promise<string> {
  const lines: string[] = [];
  for (const node of ["n1", "n2"]) {
    const response = await fetch(`${fleet.url(node)}/v1/report`);
    const { vms } = (await response.json()) as {
      readonly vms: readonly { name: string; phase: string; spec: { memory: { sizeMiB: number } } }[];
    };
    lines.push(...vms.map(({ name, phase, spec }) => `${name} ${phase} ${spec.memory.sizeMiB}`));
  }
  return lines.sort().join(", ");
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
