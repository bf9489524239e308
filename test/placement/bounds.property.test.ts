/** What is said to contradict each other for one that fits nowhere does, and any part of it does not: held against planning without the rest. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Plan } from "../../src/plan/plan-document.ts";
import { aFleet, planOf } from "../support/a-fleet.ts";

/** All that can be asked of a node here, each by itself. */
const ASKED = ["selector", "disk", "rack", "names", "cordons", "silence", "memory", "cpus"] as const;
type Asked = (typeof ASKED)[number];

interface Site {
  readonly zone: boolean;
  readonly disk: boolean;
  readonly rack: boolean;
  readonly named: boolean;
  readonly cordoned: boolean;
  readonly silent: boolean;
  readonly small: boolean;
  readonly few: boolean;
}

const SAYS: readonly (readonly [RegExp, Asked])[] = [
  [/^its placement asks for zone=/, "selector"],
  [/^its nodeAffinity asks for disk/, "disk"],
  [/^its nodeAffinity asks for rack/, "rack"],
  [/^its placement names /, "names"],
  [/ takes? nobody new$/, "cordons"],
  [/ do(es)? not answer$/, "silence"],
  [/^the memory that nodes have$/, "memory"],
  [/^the cpus that nodes have$/, "cpus"],
];

/** The plan for one VM, where only `kept` is asked of nodes. */
function planWith(sites: readonly Site[], kept: ReadonlySet<Asked>): Plan {
  const fleet = aFleet();
  for (const [index, site] of sites.entries()) {
    const labels = {
      ...(site.zone ? { zone: "a" } : {}),
      ...(site.disk ? { disk: "ssd" } : {}),
      ...(site.rack ? { rack: "r1" } : {}),
    };
    fleet.node(`n${index}`, {
      labels,
      cordoned: kept.has("cordons") && site.cordoned,
      fenced: kept.has("silence") && site.silent,
      memoryMiB: kept.has("memory") && site.small ? 512 : 16_384,
      cpus: kept.has("cpus") && site.few ? 1 : 16,
    });
  }
  const named = sites.flatMap(({ named }, index) => (named ? [`n${index}`] : []));
  fleet.vm("db", {
    cpus: { count: 2, max: 2 },
    selector: kept.has("selector") ? { zone: "a" } : {},
    nodeAffinity: [
      ...(kept.has("disk") ? [{ match: { disk: "ssd" }, required: true, weight: 1 }] : []),
      ...(kept.has("rack") ? [{ match: { rack: "r1" }, required: true, weight: 1 }] : []),
    ],
    ...(kept.has("names") && named.length > 0 ? { nodes: named } : {}),
  });
  const world = fleet.empty();
  for (const [index, { silent }] of sites.entries()) if (kept.has("silence") && silent) world.silent(`n${index}`);
  return planOf(fleet, world);
}

/** Of one that does not answer nobody knows how big it is: it counts as big enough. */
const anySite: fc.Arbitrary<Site> = fc
  .record({
    ...{ zone: fc.boolean(), disk: fc.boolean(), rack: fc.boolean(), named: fc.boolean() },
    ...{ cordoned: fc.boolean(), silent: fc.boolean(), small: fc.boolean(), few: fc.boolean() },
  })
  .map((site) => (site.silent ? { ...site, small: false, few: false } : site));

test("of one that no node could take: what is named cannot be had together, each without one of it can", () => {
  let told = 0;
  fc.assert(
    fc.property(fc.array(anySite, { minLength: 1, maxLength: 5 }), fc.subarray([...ASKED]), (sites, asked) => {
      const plan = planWith(sites, new Set(asked));
      const [blocked] = plan.blocked;
      if (blocked === undefined) return;
      const core = (blocked.conflict?.constraints ?? []).map(({ text }) => {
        const known = SAYS.find(([says]) => says.test(text));
        if (known === undefined) throw new Error(`nobody knows what "${text}" asks for`);
        return known[1];
      });
      expect(core.length, blocked.message).toBeGreaterThan(0);
      expect(new Set(core).size).toBe(core.length);
      expect(planWith(sites, new Set(core)).blocked, core.join(" ")).toHaveLength(1);
      for (const one of core) {
        const without = new Set(core.filter((each) => each !== one));
        expect(planWith(sites, without).blocked, `${core.join(" ")} without ${one}`).toEqual([]);
      }
      told = Math.max(told, core.length);
    }),
    { numRuns: 400 },
  );
  expect(told).toBeGreaterThan(2);
});
