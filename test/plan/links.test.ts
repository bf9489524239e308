/** The speed of links and the number of moves at a time, as the manifests have them, in a plan's steps and times. */
import { describe, expect, test } from "vitest";
import type { FleetPolicy } from "../../src/model/desired-state.ts";
import { summarizeTimes } from "../../src/report/plan/times-text.ts";
import { toLimits } from "../../src/turn/runs/apply-plan.ts";
import { aFleet, aSpec, planOf } from "../support/a-fleet.ts";
import { aDocument, aFleetDocument, mistakesIn, readWell } from "../support/manifest-texts.ts";

const spec = aSpec({ memory: { sizeMiB: 4096, maxMiB: 4096 } });

/** Four guests of 4 GiB go from `n1` to `n2`. */
function moving(rates: readonly (number | null)[], policy: Partial<FleetPolicy> = {}) {
  const fleet = aFleet().policy(policy);
  for (const [index, rate] of rates.entries())
    fleet.node(`n${index + 1}`, { memoryMiB: 65_536, ...(rate === null ? {} : { migrationMiBps: rate }) });
  for (const vm of ["a", "b", "c", "d"]) fleet.vm(vm, { on: "n2", memory: spec.memory });
  const world = fleet.empty().sends("n1", "n2");
  for (const vm of ["a", "b", "c", "d"]) world.has(vm, "n1", { spec });
  return planOf(fleet, world);
}

const rates = (plan: ReturnType<typeof moving>) =>
  plan.steps.map((step) => (step.kind === "migrateVm" ? step.bandwidthMiBps : "none"));

describe("what a link carries", () => {
  test("the slower of both ends is what moves are limited to and reckoned with", () => {
    const plan = moving([2048, 512]);
    expect(rates(plan)).toEqual([512, 512, 512, 512]);
    expect(plan.times).toMatchObject({ links: "stated", busiestLink: { seconds: 32 } });
    expect(plan.times?.makespanSeconds).toBeGreaterThan(32);
    expect(summarizeTimes(plan)).toContain("on the links that the Nodes name");
  });

  test("where one end is not said it is assumed, and the other limits", () => {
    const plan = moving([512, null]);
    expect(rates(plan)).toEqual([512, 512, 512, 512]);
    expect(plan.times?.links).toBeUndefined();
    expect(rates(moving([null, null]))).toEqual([undefined, undefined, undefined, undefined]);
    expect(summarizeTimes(plan)).toContain("10 Gbit/s (assumed");
  });
});

describe("how many at a time", () => {
  const overlaps = (plan: ReturnType<typeof moving>): number => {
    const moves = plan.times?.moves ?? [];
    return Math.max(
      ...moves.map(
        ({ startSeconds: at }) =>
          moves.filter(({ startSeconds, endSeconds }) => startSeconds <= at && at < endSeconds).length,
      ),
    );
  };

  test("the plan's times keep to it, and an apply's limits say the same", () => {
    expect(overlaps(moving([8192, 512], { moves: { total: 1, perNode: null } }))).toBe(1);
    const policy = aFleet()
      .policy({ moves: { total: 3, perNode: null } })
      .desired().fleet.policy;
    expect(toLimits(policy, null)).toEqual({ total: 64, perNode: 8, moves: { total: 3, perNode: 8 } });
    expect(toLimits(policy, 2)).toEqual({ total: 2, perNode: 2, moves: { total: 3, perNode: 2 } });
    expect(toLimits(aFleet().desired().fleet.policy, null)).toEqual({ total: 64, perNode: 8 });
  });
});

describe("in manifests", () => {
  const node = (rate: string) =>
    aDocument("Node", "n1", `address: http://n1:8890\nnetwork: { migrationBandwidth: ${rate} }`);
  const read = (rate: string) =>
    readWell({ "_fleet.yaml": aFleetDocument(), "n.yaml": node(rate) }).nodes[0]?.migrationMiBps;

  test("bits a second are a link's, bytes a second what gets through", () => {
    expect([read("10Gbit/s"), read("800Mbit/s"), read("400MiB/s"), read("1.5GiB/s")]).toEqual([
      1150.37, 92.03, 400, 1536,
    ]);
  });

  test.each([
    ["10Gbps", "a rate such as 10Gbit/s or 400MiB/s"],
    ["0.1MiB/s", "0.1MiB/s is too slow for anybody to move"],
    ["0Gbit/s", "0Gbit/s is too slow for anybody to move"],
    ["9999Gbit/s", "9999Gbit/s is faster than any link"],
    ["1.2.3Gbit/s", "a rate such as 10Gbit/s"],
  ])("%s is a mistake", (rate, words) => {
    expect(mistakesIn({ "n.yaml": node(rate) })).toEqual([expect.stringContaining(words)]);
  });
});
