/** Which agents hear of the fleet's nodes and homes before an apply begins. */
import { expect, test } from "vitest";
import { OdoroboError } from "../../src/model/errors.ts";
import { instant, type NodeName, nodeName, vmName } from "../../src/model/names.ts";
import type { ObservedState, Whereabouts } from "../../src/model/observed-state.ts";
import type { Agents } from "../../src/turn/connect-agents.ts";
import { tellWhereabouts } from "../../src/turn/tell-whereabouts.ts";
import { aFleet, planOf } from "../support/a-fleet.ts";
import { NEVER } from "../support/an-agent.ts";

const NAMES = Array.from({ length: 9 }, (_, index) => `n${index + 1}`);

async function tell(observe: (observed: ObservedState) => ObservedState): Promise<ReadonlyMap<NodeName, Whereabouts>> {
  const fleet = aFleet()
    .nodes(...NAMES)
    .vm("web", { on: "n9" });
  const world = fleet.empty().has("web", "n9");
  const told = new Map<NodeName, Whereabouts>();
  const agents = {
    of: (node: NodeName) => ({ tellWhereabouts: async (what: Whereabouts) => void told.set(node, what) }),
  } as unknown as Agents;
  const observed = observe(world.observed());
  await tellWhereabouts({ plan: planOf(fleet, world), desired: fleet.desired(), observed, agents, signal: NEVER });
  return told;
}

/** What this node was told before. */
const knowing =
  (node: string, nodes: readonly string[]) =>
  (observed: ObservedState): ObservedState => {
    const known: Whereabouts = {
      fleet: "test",
      at: instant("2026-01-01T11:00:00.000Z"),
      homes: { [vmName("web")]: nodeName("n9") },
      nodes: nodes.map(nodeName),
      ids: Object.fromEntries(NAMES.map((each) => [nodeName(each), `id-${each}`])),
    };
    return {
      ...observed,
      nodes: observed.nodes.map((each) =>
        each.reach === "answered" && each.name === node
          ? { ...each, report: { ...each.report, whereabouts: [known] } }
          : each,
      ),
    };
  };

test("seven witnesses hear of all nodes and homes", async () => {
  const told = await tell((observed) => observed);
  expect([...told.keys()]).toEqual(NAMES.slice(0, 7));
  expect(told.get(nodeName("n1"))).toMatchObject({ homes: { web: "n9" }, nodes: NAMES });
});

test("a node that takes itself for the only one is told, witness or not: it would start its VMs by itself", async () => {
  expect([...(await tell(knowing("n9", ["n9"]))).keys()]).toEqual([...NAMES.slice(0, 7), "n9"]);
});

test("an older agent, which takes no field that it does not know, is told what it does", async () => {
  const told: Whereabouts[] = [];
  const older = async (what: Whereabouts) => {
    if (what.serial !== undefined) throw new OdoroboError("BAD_REQUEST", "serial is not a field of this document");
    told.push(what);
  };
  const fleet = aFleet().nodes("n1").vm("web", { on: "n1" });
  const world = fleet.empty();
  const agents = { of: () => ({ tellWhereabouts: older }) } as unknown as Agents;
  const request = { plan: planOf(fleet, world), desired: fleet.desired(), observed: world.observed(), agents };
  await tellWhereabouts({ ...request, signal: NEVER });
  expect(told).toEqual([{ fleet: "test", at: expect.any(String), homes: { web: "n1" }, nodes: ["n1"] }]);
});

test("who knows already is not told again, until a node comes or goes", async () => {
  expect([...(await tell(knowing("n1", NAMES))).keys()]).toEqual(NAMES.slice(1, 7));
  expect([...(await tell(knowing("n1", NAMES.slice(1)))).keys()]).toEqual(NAMES.slice(0, 7));
});
