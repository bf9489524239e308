/**
 * What `odorobo plan FOLDER` does, as one process: read the folder, ask every agent, plan, check, render.
 * `--nothing-runs`: the agents report no VM, so that the plan creates them all.
 */
import module from "node:module";
import { tell } from "../tell.ts";

module.enableCompileCache();
const [manifests = "", reports = ""] = process.argv.slice(2);
const { useNativeDigests } = await import("../../src/platform/native-digests.ts");
const { loadFleet } = await import("../../src/turn/read-fleet.ts");
const { observe } = await import("../../src/observe/observe.ts");
const { openKeptReports } = await import("../../src/observe/kept-reports-file.ts");
const { makePlan } = await import("../../src/plan/make-plan.ts");
const { assertPlanKeepsPromises } = await import("../../src/plan/check-plan.ts");
const { renderPlan } = await import("../../src/report/plan/plan-text.ts");
const { systemClock } = await import("../../src/platform/clock.ts");
const { cannedAgent } = await import("../canned-agent.ts");
const { withoutVms } = await import("../without-vms.ts");

useNativeDigests();
const { signal } = new AbortController();
const { desired, source, commit, specs } = await loadFleet({ kind: "folder", path: manifests }, signal);
const kept = openKeptReports(specs);
const seen = await observe(desired.nodes, (node) => cannedAgent(reports, node.name, kept), {
  clock: systemClock,
  signal,
});
const observed = process.argv.includes("--nothing-runs") ? withoutVms(seen) : seen;
const plan = makePlan({
  desired,
  observed,
  source,
  commit,
  selection: null,
  allowances: { maxClass: null, allowDestroy: null },
});
assertPlanKeepsPromises(plan, desired, observed);
const text = renderPlan(plan, { colour: false, verbose: false, next: null });
const { unchanged, create } = plan.summary;
tell(
  `${unchanged} unchanged, ${create} to create, ${plan.steps.length} steps, ${text.trim().split("\n").length} lines`,
);
