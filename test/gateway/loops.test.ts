/** Loops as processes on rehearsed guests: two on one fleet, and one that is killed at any boundary of what it writes down. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { whoami } from "../../src/platform/whoami.ts";
import { statusOf } from "../../src/run/state.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import { commandRun } from "../../src/turn/runs/command-run.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { aLoop } from "../support/a-loop.ts";
import { until } from "../support/until.ts";

/** As `whoami` says it of another process. */
const userAt = () => whoami().replace(/, process \d+$/, "");
/** A loop that finds a lease or a pause of before waits for their end first. */
const PATIENT = { timeout: 480_000 };
const placeOf = (fleet: LiveFleet, name: string) => ({
  folder: fleet.folder,
  state: join(fleet.scratch, name),
  memory: join(fleet.scratch, name, "loop.json"),
});

describe("loops", PATIENT, () => {
  test("two on one fleet, on two machines: one acts, the other says who does, and takes over when that one is gone", async () => {
    await using fleet = await aLiveFleet("n1", "n2");
    await fleet.vm("web-1");
    await using first = aLoop(placeOf(fleet, "a"));
    await first.until("revision", ({ standing }) => standing === "applied");
    await using second = aLoop(placeOf(fleet, "b"));
    const held = await second.until("held");
    expect(held).toMatchObject({ run: null, by: `odorobo test of ${userAt()}, process ${first.pid}` });
    await fleet.vm("web-2");
    await first.until("revision", ({ id, standing }) => id !== "r1" && standing === "applied");
    expect(second.of("step")).toEqual([]);

    first.signal("SIGKILL");
    await first.ended;
    await fleet.vm("web-3");
    await second.until("step", ({ title }) => title.startsWith("boot web-3"));
    // The same loop again is the second now, and acts no more.
    await using again = aLoop(placeOf(fleet, "a"));
    expect(await again.until("held")).toMatchObject({ by: expect.stringContaining(`process ${second.pid}`) });
    expect(again.of("step")).toEqual([]);
  });

  test("killed at boundaries of what it writes down: the next one carries on, with the approval that was given", async () => {
    await using fleet = await aLiveFleet("n1");
    await fleet.vm("web-1");
    const place = placeOf(fleet, "a");
    const store = new FileRunStore(place.state);
    {
      await using loop = aLoop(place);
      await loop.until("revision", ({ standing }) => standing === "applied");
      loop.signal("SIGTERM");
      await loop.ended;
    }
    let memory = 64;
    const boundaries = new Set<string>();
    // Every one is met by `npm run faults -- --gateway`; here some, spread over all of a story.
    for (const dieAt of [4, 9, 15, 19]) {
      memory += 64;
      await fleet.vm("web-1", [`memory: ${memory}MiB`]);
      await using loop = aLoop({ ...place, dieAt });
      const waiting = async () =>
        (await store.list()).runs.find(({ state, isExecuted }) => statusOf(state, isExecuted) === "waiting");
      const approve = async () => {
        const run = await waiting();
        if (run !== undefined)
          await commandRun(store, run.id, { kind: "approve", by: "ada" }, systemClock).catch(() => {});
      };
      await until(
        "it dies",
        async () => {
          await approve();
          return loop.isOver() || (await isDone(fleet, memory));
        },
        60_000,
      );
      const died = loop.of("boundary").at(-1);
      if (died !== undefined) boundaries.add(died.name);
      loop.signal("SIGKILL");
      await loop.ended;
      await using next = aLoop(place);
      await until(
        "what the manifests say is",
        async () => {
          await approve();
          return await isDone(fleet, memory);
        },
        150_000,
      ).catch(async (error) => {
        const runs = (await store.list()).runs.map(({ id, state, isExecuted }) => [id, statusOf(state, isExecuted)]);
        const told = next.of("revision").map(({ id, standing }) => [id, standing]);
        const seen = { dieAt, died, runs, told, held: next.of("held") };
        throw new Error(`${JSON.stringify(seen)}`, { cause: error });
      });
      await until(
        "no run is left",
        async () => (await store.list()).runs.every(({ state }) => state.outcome !== null),
        60_000,
      );
      next.signal("SIGTERM");
      await next.ended;
    }
    // Which ones they are, how busy the machine is has a say in.
    expect(boundaries.size).toBeGreaterThan(0);
    for (const { state } of (await store.list()).runs) {
      // No step was done by two runs, and none without its approval.
      if ([...state.steps.keys()].length > 0 && state.begun.asks !== undefined) expect(state.approvedBy).toBe("ada");
      expect(state.outcome).not.toBe(null);
    }
  });
});

async function isDone(fleet: LiveFleet, memoryMiB: number): Promise<boolean> {
  const response = await fetch(`${fleet.url("n1")}/v1/report`);
  const { vms } = (await response.json()) as {
    vms: { spec: { memory: { sizeMiB: number } }; phase: string; live?: unknown }[];
  };
  const [vm] = vms;
  return vm?.phase === "running" && vm.spec.memory.sizeMiB === memoryMiB;
}
