/** A run that was just made: whoever sees it finds its executor at it, so that an answer is heard by who asked. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import { commandRun } from "../../src/turn/runs/command-run.ts";
import { NOON } from "../support/a-fleet.ts";
import { aBegunRun } from "../support/a-run.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const plan = aRunnablePlan().step("createVm", "web-1", "n1").build();

test("nobody sees a new run without its executor", async () => {
  // On a disk: what is synced there takes its time.
  await using folder = await aTempFolder();
  const store = new FileRunStore(folder.path);
  const onlooker = new FileRunStore(folder.path);
  for (let round = 0; round < 10; round++) {
    const run = `r${round}`;
    const made = store.create(plan, aBegunRun(plan, { run }));
    let known = null;
    while (known === null) known = (await onlooker.list()).runs.find(({ id }) => id === run) ?? null;
    expect(known.isExecuted, run).toBe(true);
    await (await made)[Symbol.asyncDispose]();
  }
});

test("an approval given the moment that a run is seen is heard by who asks", async () => {
  await using folder = await aTempFolder();
  const store = new FileRunStore(folder.path);
  for (let round = 0; round < 10; round++) {
    const run = `r${round}`;
    const made = store.create(plan, { ...aBegunRun(plan, { run }), version: 2, asks: { revision: "r1" } });
    while ((await store.list()).runs.every(({ id }) => id !== run));
    const answered = commandRun(store, run, { kind: "approve", by: "ada" }, systemClock);
    await using claim = await made;
    const heard = new Promise<string>((resolve) =>
      claim.onCommand(({ kind, by }) => {
        claim.append({ event: "approved", at: NOON, by });
        resolve(kind);
      }),
    );
    expect(await heard).toBe("approve");
    expect((await answered).state.approvedBy).toBe("ada");
  }
});

test("one that cannot be made leaves nothing that could be answered", async () => {
  await using folder = await aTempFolder();
  const store = new FileRunStore(folder.path);
  // In its place is something that no folder can be put over.
  await mkdir(join(folder.path, "runs", "r1", "full"), { recursive: true });
  await expect(store.create(plan, aBegunRun(plan, { run: "r1" }))).rejects.toThrow("could not be written");
  expect((await store.list()).runs).toEqual([]);
});
