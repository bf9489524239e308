/**
 * Every boundary of what a gateway's loop writes down, once each: it dies there in the middle of a whole story, and the next one carries
 * on. `loops.test.ts` kills real processes at some of them, `npm run faults -- --gateway` at any moment.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { vmName } from "../../src/model/names.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { statusOf } from "../../src/run/state.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import { commandRun } from "../../src/turn/runs/command-run.ts";
import { connectAgent } from "../../src/wire/client.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { aMortalLoop, Branch, type MortalLoop } from "../support/a-mortal-loop.ts";
import { until } from "../support/until.ts";

const PATIENCE_MS = 60_000;
const WEB = vmName("web-1");
const { signal } = new AbortController();

test("killed at every boundary of a story: nothing is done twice, no approval is lost, nothing is left", {
  timeout: 900_000,
}, async () => {
  await using fleet = await aLiveFleet("n1");
  const branch = new Branch(fleet.folder);
  await using agent = {
    client: connectAgent({ address: fleet.url("n1") }),
    [Symbol.asyncDispose]: () => agent.client.close(),
  };
  // It is there before the first story, so that all of them are the same.
  await tell(fleet, branch, agent.client, "first", 0);
  const whole = await tell(fleet, branch, agent.client, "whole", 0);
  const boundaries = new Set(whole.passed);
  for (let dieAt = 1; ; dieAt++) {
    const story = await tell(fleet, branch, agent.client, `at-${dieAt}`, dieAt);
    expect(story.done, `killed ${story.passed.at(-1)}, its boundary ${dieAt}`).toEqual(whole.done);
    expect(story.approved, `killed ${story.passed.at(-1)}, its boundary ${dieAt}`).toBe(whole.approved);
    if (!story.hasDied) break;
    for (const name of story.passed) boundaries.add(name);
  }
  for (const name of ["begun", "remembered", "approved", "step-started", "step-succeeded", "ended"])
    for (const side of ["before", "after"]) expect(boundaries).toContain(`${side} ${name}`);
});

interface Story {
  readonly hasDied: boolean;
  readonly passed: readonly string[];
  /** How much was done to the guest. */
  readonly done: { readonly serial: number; readonly generation: number };
  readonly approved: number;
}

/** A push that needs nobody, one that is asked about, a guest that ends, and the revert. */
async function tell(
  fleet: LiveFleet,
  branch: Branch,
  agent: ReturnType<typeof connectAgent>,
  name: string,
  dieAt: number,
): Promise<Story> {
  const state = join(fleet.scratch, name);
  const store = new FileRunStore(state);
  const loops: MortalLoop[] = [];
  const start = (at: number) => loops.push(aMortalLoop({ branch, folder: fleet.folder, state, dieAt: at }));
  const turn = async () => {
    // Each look costs as much as what is looked at.
    await sleep(25);
    const last = loops.at(-1);
    if (last?.isDead()) {
      await last.ended;
      start(0);
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
  start(dieAt);
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
