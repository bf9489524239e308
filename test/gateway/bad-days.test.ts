/** A loop whose disk is full for a while, and one whose clock jumps: the same story comes out. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { OdoroboError } from "../../src/model/errors.ts";
import { instant } from "../../src/model/names.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import { commandRun } from "../../src/turn/runs/command-run.ts";
import { aLiveFleet } from "../support/a-live-fleet.ts";
import { aStoryteller } from "../support/a-loop-story.ts";
import { aMortalLoop, Branch } from "../support/a-mortal-loop.ts";
import { until } from "../support/until.ts";

const WRITTEN = ["remembered", "begun", "approved", "step-started", "step-succeeded", "ended"];

test("a disk that is full under memory or journal holds all up until there is room, and nothing is done twice or lost", {
  timeout: 600_000,
}, async () => {
  await using teller = await aStoryteller();
  const whole = await teller.tell("whole");
  for (const what of WRITTEN) {
    let failures = 0;
    const story = await teller.tell(`full-${what}`, {
      at: (name) => {
        // From the second time on, and twice: what tries again meets it again.
        if (name !== `before ${what}` || ++failures < 2 || failures > 3) return;
        throw new OdoroboError("FILE_UNWRITABLE", "no space left on device", { hint: "make room" });
      },
    });
    expect(failures, what).toBeGreaterThan(3);
    expect(story.done, what).toEqual(whole.done);
    expect(story.approved, what).toBe(whole.approved);
    expect(story.hasDied, what).toBe(false);
  }
});

test("a clock that jumps by years, there and back, changes nothing of the story", { timeout: 300_000 }, async () => {
  await using teller = await aStoryteller();
  const whole = await teller.tell("whole");
  const YEAR_MS = 31_557_600_000;
  let off = 0;
  let count = 0;
  const clock = { ...systemClock, now: () => instant(new Date(Date.now() + off).toISOString()) };
  const jump = () => {
    count += 1;
    off = [0, YEAR_MS, -10 * YEAR_MS, 3_600_000][count % 4] as number;
  };
  const story = await teller.tell("jumping", { clock, at: jump });
  expect(story.done).toEqual(whole.done);
  expect(story.approved).toBe(whole.approved);
});

test("an approval that is given while its agent is silent is kept until that agent is back, also by the next loop", {
  timeout: 300_000,
}, async () => {
  await using fleet = await aLiveFleet("n1", "n2");
  await fleet.vm("web-1", ["placement: { node: n1 }"]);
  const branch = new Branch(fleet.folder);
  const state = join(fleet.scratch, "state");
  const store = new FileRunStore(state);
  const start = () => aMortalLoop({ branch, folder: fleet.folder, state, dieAt: 0 });
  const memory = async () => {
    const report = await fetch(`${fleet.url("n1")}/v1/report`).then((answer) => answer.json());
    const { vms } = report as { vms: { phase: string; spec: { memory: { sizeMiB: number } } }[] };
    return vms.find(({ phase }) => phase === "running")?.spec.memory.sizeMiB;
  };
  const asked = async () => (await store.list()).runs.filter((run) => run.state.begun.asks !== undefined);
  await branch.push("one");
  {
    await using _ = start();
    await until("it runs", async () => (await memory()) === 64);
    await fleet.vm("web-1", ["placement: { node: n1 }", "memory: 128MiB"]);
    await branch.push("two");
    await until("it waits", async () => (await asked()).some((run) => run.state.outcome === null));
    await fleet.stop("n1");
    const [run] = await asked();
    await commandRun(store, run!.id, { kind: "approve", by: "ada" }, systemClock);
    const isKept = async () => (await readFile(join(state, "loop.json"), "utf8")).includes('"notBefore":"2');
    await until("it is found that the agent is silent", isKept, 60_000);
  }
  // The next one has nothing but what is written down.
  await using _ = start();
  await sleep(300);
  expect((await asked()).map((run) => run.state.outcome)).toEqual([null]);
  await fleet.answerAgain("n1");
  await until("it is done", async () => (await memory()) === 128, 60_000);
  await until("its run is over", async () => (await asked()).every((run) => run.state.outcome !== null));
  expect((await asked()).map((run) => [run.state.approvedBy, run.state.outcome])).toEqual([["ada", "done"]]);
});
