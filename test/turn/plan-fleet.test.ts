import { existsSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { type PlanRequest, planDestruction, planFleet } from "../../src/turn/plan-fleet.ts";
import { reachNodes } from "../../src/turn/reach-nodes.ts";
import { applyPlan } from "../../src/turn/runs/apply-plan.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";

const NEVER = new AbortController().signal;
let fleet: LiveFleet;
let request: PlanRequest;

beforeEach(async () => {
  fleet = await aLiveFleet("n1", "n2");
  for (const n of [1, 2, 3]) await fleet.vm(`web-${n}`);
  request = {
    location: { kind: "folder", path: fleet.folder },
    access: {},
    selection: null,
    allowances: { maxClass: null, allowDestroy: null },
    clock: systemClock,
  };
});
afterEach(() => fleet[Symbol.asyncDispose]());

async function applyOnce(parallelism: number | null = null) {
  await using planned = await planFleet(request, NEVER);
  let inFlight = 0;
  let most = 0;
  const report = await applyPlan({
    plan: planned.plan,
    desired: planned.fleet.desired,
    observed: planned.observed,
    agents: planned.agents,
    clock: systemClock,
    parallelism,
    signal: NEVER,
    hardSignal: NEVER,
    onEvent: (event) => {
      if (event.event === "step-started") most = Math.max(most, ++inFlight);
      if (event.event === "step-ended") inFlight--;
    },
  });
  return { report, most };
}

test("a turn and then another: the second finds nothing to do", async () => {
  expect((await applyOnce(1)).most).toBe(1);
  await using again = await planFleet(request, NEVER);
  expect(again.plan.steps).toEqual([]);
  expect(again.plan).toMatchObject({ complete: true, applyable: false, summary: { unchanged: 3 } });
});

test("the same folder and the same world give the same plan, byte for byte but for the time of looking", async () => {
  const texts = [];
  for (const _ of [1, 2]) {
    await using planned = await planFleet(request, NEVER);
    texts.push(JSON.stringify({ ...planned.plan, base: { ...planned.plan.base, observedAt: null } }));
  }
  expect(texts[0]).toBe(texts[1]);
});

test("a destruction deletes what there is and plans no VM of the manifests", async () => {
  await applyOnce();
  await using planned = await planDestruction(request, NEVER);
  expect(planned.plan.summary).toMatchObject({ destroy: 3, create: 0 });
  expect(planned.plan.changes[0]?.reasons[0]?.text).toContain("odorobo destroy asks for it");
});

test("an interrupted reading or asking rejects with the abort, and leaves nothing open", async () => {
  const interrupted = AbortSignal.abort();
  await expect(planFleet(request, interrupted)).rejects.toMatchObject({ name: "AbortError" });
  expect(existsSync(fleet.folder)).toBe(true);
});

test("a node that the manifests do not name cannot be asked", async () => {
  const reach = { ...request, agent: null, node: "n9" };
  await expect(reachNodes(reach, NEVER)).rejects.toMatchObject({ code: "NOT_FOUND", hint: "there is n1, n2" });
});

test("a node that leaves the manifests takes its VMs out of sight, and they are not started elsewhere", async () => {
  await applyOnce();
  await using before = await planFleet(request, NEVER);
  const there = before.observed.nodes.flatMap((node) => (node.reach === "answered" ? [node.report] : []));
  const onN2 = there.find((report) => report.node.name === "n2")!.vms.map((vm) => vm.name);
  expect(onN2.length).toBeGreaterThan(0);

  await fleet.remove("nodes/n2.yaml");
  await using without = await planFleet(request, NEVER);
  expect(without.plan.steps).toEqual([]);
  expect(without.plan.unknown.map((each) => each.name)).toEqual(onN2);
  expect(without.plan.unknown[0]!.because).toContain("was last on n2, which the manifests no longer name");

  // A person's word that it is off; here it is, too.
  const url = fleet.url("n2");
  await fleet.stop("n2");
  const node = `apiVersion: odorobo.dev/v1\nkind: Node\nmetadata: { name: n2 }\nspec: { address: "${url}", fenced: true }\n`;
  await fleet.write("nodes/n2.yaml", node);
  await using fenced = await planFleet(request, NEVER);
  expect(fenced.plan.changes.map((change) => [change.name, change.action, change.node])).toEqual(
    onN2.map((name) => [name, "create", "n1"]),
  );
  await applyOnce();

  // Their new home is known now, so the fenced node may go for good.
  await fleet.remove("nodes/n2.yaml");
  await using after = await planFleet(request, NEVER);
  expect(after.plan).toMatchObject({ steps: [], complete: true, unknown: [] });
});

test("a node exchanged for a new one: the new one knows where the VMs are before the old one leaves, though nothing was to be done", async () => {
  await fleet.remove("nodes/n1.yaml");
  await applyOnce();
  await fleet.node("n1");
  expect((await applyOnce()).report.steps).toEqual([]);
  await fleet.remove("nodes/n2.yaml");
  await using planned = await planFleet(request, NEVER);
  expect(planned.plan).toMatchObject({ steps: [], summary: { unknown: 3 } });
  expect(planned.plan.unknown[0]?.because).toContain("was last on n2");
});
