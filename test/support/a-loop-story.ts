/** A whole story of a loop: a push that needs nobody, one that is asked about, a guest that ends, and the revert. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { vmName } from "../../src/model/names.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { statusOf } from "../../src/run/state.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import { commandRun } from "../../src/turn/runs/command-run.ts";
import { connectAgent } from "../../src/wire/client.ts";
import { aLiveFleet, type LiveFleet } from "./a-live-fleet.ts";
import { aMortalLoop, Branch, type MortalLoop, type MortalPlace } from "./a-mortal-loop.ts";
import { until } from "./until.ts";

const PATIENCE_MS = 60_000;
const WEB = vmName("web-1");
const { signal } = new AbortController();

export interface LoopStory {
  readonly hasDied: boolean;
  readonly passed: readonly string[];
  /** How much was done to the guest. */
  readonly done: { readonly serial: number; readonly generation: number };
  readonly approved: number;
}

export interface Storyteller extends AsyncDisposable {
  /** `name`: another one for each. What `over` says is for the first loop alone; who comes after it has nothing to suffer. */
  tell(name: string, over?: Partial<Pick<MortalPlace, "dieAt" | "at" | "clock">>): Promise<LoopStory>;
}

/** One fleet, on which one story after another is told: each leaves the guest as it found it. */
export async function aStoryteller(): Promise<Storyteller> {
  const fleet = await aLiveFleet("n1");
  const branch = new Branch(fleet.folder);
  const agent = connectAgent({ address: fleet.url("n1") });
  // It is there before the first story, so that all of them are the same.
  await tell(fleet, branch, agent, "the-first", {});
  return {
    tell: (name, over = {}) => tell(fleet, branch, agent, name, over),
    async [Symbol.asyncDispose]() {
      await agent.close();
      await fleet[Symbol.asyncDispose]();
    },
  };
}

async function tell(
  fleet: LiveFleet,
  branch: Branch,
  agent: ReturnType<typeof connectAgent>,
  name: string,
  over: Partial<Pick<MortalPlace, "dieAt" | "at" | "clock">>,
): Promise<LoopStory> {
  const state = join(fleet.scratch, name);
  const store = new FileRunStore(state);
  const loops: MortalLoop[] = [];
  const start = (how: typeof over) => {
    loops.push(aMortalLoop({ branch, folder: fleet.folder, state, dieAt: 0, ...how }));
  };
  const turn = async () => {
    // Each look costs as much as what is looked at.
    await sleep(25);
    const last = loops.at(-1);
    if (last?.isDead()) {
      await last.ended;
      start({});
    }
    for (const { id, state } of (await store.list()).runs)
      if (state.outcome === null && state.wish === "ask")
        await commandRun(store, id, { kind: "approve", by: "ada" }, systemClock).catch(() => {});
  };
  const vm = async () => (await agent.report(signal)).vms.find((each) => each.name === WEB);
  const push = async (step: string, memoryMiB: number) => {
    await fleet.vm("web-1", [`memory: ${memoryMiB}MiB`], { story: name });
    await branch.push(`${name}-${step}`);
  };
  /** `applied`: how many specs of this story the guest has been given by then. */
  const stands = async (what: string, memoryMiB: number, applied: number) => {
    try {
      await until(
        `${name}: ${what}`,
        async () => {
          await turn();
          const now = await vm();
          const isAs = now?.phase === "running" && now.spec?.memory.sizeMiB === memoryMiB;
          const isGiven = (now?.generation ?? 0) >= (before?.generation ?? 0) + applied;
          return isAs && isGiven && (await store.list()).runs.every((run) => run.state.outcome !== null);
        },
        PATIENCE_MS,
      );
    } catch (error) {
      const runs = (await store.list()).runs.map((run) => `${run.id} ${statusOf(run.state, run.isExecuted)}`);
      throw new Error(
        `${error}; ${loops.map((loop) => loop.passed.join(", ")).join(" | ")}; ${runs.join(", ")}; ${JSON.stringify(await vm())} ${await readFile(join(state, "loop.json"), "utf8")}`,
      );
    }
  };
  const before = await vm();
  await push("begin", 64);
  start(over);
  await using _ = {
    [Symbol.asyncDispose]: async () => void (await Promise.all(loops.map((loop) => loop[Symbol.asyncDispose]()))),
  };
  await stands("the first push", 64, 1);
  await push("more", 128);
  await stands("what is asked about", 128, 2);
  await agent.operate(WEB, { kind: "shutdown", graceSeconds: 1, id: `${name}-off`, expect: null }, signal);
  await stands("healed", 128, 2);
  await push("revert", 64);
  await stands("reverted", 64, 3);
  const { runs } = await store.list();
  for (const { id, state } of runs) {
    const isAsked = state.begun.asks !== undefined;
    if (state.steps.size > 0 && isAsked) expect(state.approvedBy, id).toBe("ada");
    if (state.approvedBy !== null) expect(state.outcome, `${id} was approved`).toBe("done");
  }
  const after = (await vm())!;
  return {
    hasDied: loops.length > 1,
    passed: loops[0]!.passed,
    done: { serial: after.serial - (before?.serial ?? 0), generation: after.generation - (before?.generation ?? 0) },
    approved: runs.filter((run) => run.state.approvedBy !== null).length,
  };
}
