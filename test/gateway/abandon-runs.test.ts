/** What an earlier loop left and nobody remembers ends, also when somebody is just answering it. */
import { expect, test } from "vitest";
import { abandonRuns } from "../../src/gateway/loop/abandon-runs.ts";
import { systemClock } from "../../src/platform/clock.ts";
import type { RunClaim, RunStore } from "../../src/run/run-store.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import { NOON } from "../support/a-fleet.ts";
import { aBegunRun } from "../support/a-run.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const plan = aRunnablePlan().step("createVm", "web-1", "n1").build();

test("a run that somebody answers in the very moment that it is abandoned is not left", async () => {
  await using folder = await aTempFolder({ inMemory: true });
  const store = new FileRunStore(folder.path);
  const begun = { ...aBegunRun(plan, { run: "r1", by: "odorobo watch of me" }), version: 2 as const };
  await (await store.create(plan, { ...begun, asks: { revision: "r1" } }))[Symbol.asyncDispose]();
  let answering: RunClaim | null = null;
  let tries = 0;
  const seen = new Proxy<RunStore>(store, {
    get(target, name: keyof RunStore) {
      if (name === "list")
        return async () => {
          const known = await target.list();
          answering = await target.claim("r1");
          return known;
        };
      if (name !== "claim") return target[name].bind(target);
      return async (id: string) => {
        tries += 1;
        const claim = await target.claim(id);
        if (tries === 1) {
          answering?.append({ event: "approved", at: NOON, by: "ada" });
          await answering?.[Symbol.asyncDispose]();
        }
        return claim;
      };
    },
  });
  const location = { kind: "folder", path: "/fleet" } as const;
  await abandonRuns(seen, { who: "watch", location, clock: systemClock, remembered: new Set() });
  expect(tries).toBe(2);
  expect((await store.find("r1")).state).toMatchObject({ outcome: "replaced", approvedBy: "ada" });
});
