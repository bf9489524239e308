import { expect, test } from "vitest";
import { GatewayMetrics } from "../../src/gateway/metrics/gateway-metrics.ts";
import { instant } from "../../src/model/names.ts";
import { aClock } from "../support/a-clock.ts";
import { aChange, aStepReport, ToldLoop } from "../support/a-told-loop.ts";
import { samplesOf } from "../support/metrics-text.ts";
import { promtool } from "../support/promtool.ts";
import { requires } from "../support/requirements.ts";

function aGateway() {
  const clock = aClock();
  const metrics = new GatewayMetrics({ version: "0.1.0", clock });
  const loop = new ToldLoop(clock, metrics.watcher("shop"));
  const read = async () => {
    const samples = samplesOf(await metrics.render());
    return (name: string, labels = ""): number | undefined =>
      samples.get(`odorobo_gateway_${name}{fleet="shop"${labels === "" ? "" : `,${labels}`}}`);
  };
  return { clock, metrics, loop, read };
}

test("a revision lags from when it was seen until it is applied, and stands where it stands", async () => {
  const { clock, loop, read } = aGateway();
  loop.push("r1").plan("r1");
  let value = await read();
  expect([value("revision_lag_seconds"), value("newest_revision", 'standing="applied"')]).toEqual([0, 1]);
  loop.push("r2").plan("r2", [aChange("web-1")]);
  clock.advance(90_000);
  value = await read();
  expect(value("revision_lag_seconds")).toBeCloseTo(90, 0);
  expect(value("newest_revision", 'standing="applying"')).toBe(1);
  expect(value("newest_revision", 'standing="applied"')).toBe(0);
  loop.end("done").plan("r2");
  value = await read();
  expect([value("revision_lag_seconds"), value("revisions", 'standing="applied"')]).toEqual([0, 2]);
  expect(value("revision_standings_total", 'standing="applied"')).toBe(2);
});

test("a revision that says what the one in force says is no further than that", async () => {
  const { clock, loop, read } = aGateway();
  loop.push("r1").plan("r1", [aChange("web-1", "destroy")]);
  clock.advance(60_000);
  expect((await read())("revision_lag_seconds")).toBeCloseTo(60, 0);
  loop.pushBroken("r2");
  clock.advance(60_000);
  const value = await read();
  expect(value("revision_lag_seconds")).toBeCloseTo(60, 0);
  expect(value("newest_revision", 'standing="refused"')).toBe(1);
});

test("one that failed lags until a later try has done what was left of it", async () => {
  const { clock, loop, read } = aGateway();
  loop
    .push("r1")
    .plan("r1", [aChange("web-1")])
    .end("failed");
  clock.advance(60_000);
  let value = await read();
  expect([Math.round(value("revision_lag_seconds") ?? 0), value("consecutive_failures")]).toEqual([60, 1]);
  loop
    .post({ event: "tick" })
    .plan("r1", [aChange("web-1")])
    .end("done")
    .plan("r1");
  value = await read();
  expect([value("revision_lag_seconds"), value("consecutive_failures")]).toEqual([0, 0]);
  // What is told again after a restart came to stand so once.
  const before = value("revision_standings_total", 'standing="failed"');
  loop.post({ event: "taken-up" });
  expect([before, (await read())("revision_standings_total", 'standing="failed"')]).toEqual([1, 1]);
});

test("what waits for a person is told with how long it has waited, until it is answered", async () => {
  const { clock, loop, read } = aGateway();
  loop
    .push("r1")
    .plan("r1")
    .push("r2", { auto: "live", approve: ["destroy"] })
    .plan("r2", [aChange("db-1", "destroy")]);
  expect(loop.state.asked).not.toBeNull();
  clock.advance(3_600_000);
  let value = await read();
  expect([value("approvals_waiting"), Math.round(value("approval_wait_seconds") ?? 0)]).toEqual([1, 3600]);
  loop.post({ event: "approve", revision: "r2", plan: loop.state.asked!.plan.id, by: "ann" });
  value = await read();
  expect([value("approvals_waiting"), value("approval_wait_seconds")]).toEqual([0, 0]);
});

test("drift is counted when it is told, and as healed when no plan speaks of it any more", async () => {
  const { loop, read } = aGateway();
  loop
    .push("r1")
    .plan("r1")
    .look()
    .plan("r1", [aChange("web-1", "live", true)]);
  let value = await read();
  expect([value("drifted_vms"), value("drifts_total", 'handling="reverted"'), value("healed_total")]).toEqual([
    1, 1, 0,
  ]);
  loop.end("done").plan("r1");
  value = await read();
  expect([value("drifted_vms"), value("drifts_total", 'handling="reverted"'), value("healed_total")]).toEqual([
    0, 1, 1,
  ]);
});

test("runs and steps by outcome, with how long they took", async () => {
  const { loop, read, metrics } = aGateway();
  const at = instant("2026-11-28T12:00:00.000Z");
  loop.apply({ event: "started", at, steps: 2 });
  expect((await read())("runs_in_progress")).toBe(1);
  loop.apply({ event: "step-ended", at, report: aStepReport() });
  loop.apply({ event: "step-ended", at, report: aStepReport({ outcome: "skipped", milliseconds: 0 }) });
  loop.apply({
    event: "ended",
    report: {
      ...{ kind: "ApplyReport", version: 1, planId: "p", startedAt: at, outcome: "failed", steps: [] },
      ...{ endedAt: instant("2026-11-28T12:00:07.000Z"), counts: { done: 1, failed: 0, skipped: 1 } },
    },
  });
  const value = await read();
  expect([value("runs_in_progress"), value("runs_total", 'outcome="failed"')]).toEqual([0, 1]);
  expect(value("run_duration_seconds_sum")).toBe(7);
  expect(value("steps_total", 'kind="bootVm",outcome="skipped"')).toBe(1);
  // What was skipped took no time: it would make the rest look fast.
  expect(samplesOf(await metrics.render()).get('odorobo_gateway_step_duration_seconds_count{kind="bootVm"}')).toBe(1);
});

test("nodes by whether they answer; one that left the fleet leaves no series", async () => {
  const { loop, read } = aGateway();
  loop.see("n1", "-n2", "n3");
  let value = await read();
  expect([value("node_up", 'node="n1"'), value("node_up", 'node="n2"'), value("nodes", 'reach="silent"')]).toEqual([
    1, 0, 1,
  ]);
  expect([value("last_plan_vms", 'action="update"'), value("last_plan_vms", 'action="destroy"')]).toEqual([1, 0]);
  loop.see("n1");
  value = await read();
  expect([value("node_up", 'node="n2"'), value("nodes", 'reach="silent"')]).toEqual([undefined, 0]);
});

test("how long a plan took is the time from when the loop wanted it, whatever else was decided meanwhile", async () => {
  const { clock, loop, read } = aGateway();
  loop.push("r1");
  clock.advance(2_000);
  loop.post({ event: "tick" });
  clock.advance(2_000);
  loop.see("n1").plan("r1");
  const value = await read();
  expect(value("plan_duration_seconds_count")).toBe(1);
  expect(value("plan_duration_seconds_sum")).toBeCloseTo(4, 1);
});

test("a repository that cannot be read is down until it can", async () => {
  const { loop, read, metrics } = aGateway();
  const watcher = metrics.watcher("other");
  watcher.source?.({
    code: "SOURCE_UNREADABLE",
    looks: 1,
    message: "no route",
    hint: null,
    since: instant("2026-01-01T00:00:00.000Z"),
  });
  const text = await metrics.render();
  expect(samplesOf(text).get('odorobo_gateway_source_up{fleet="other"}')).toBe(0);
  expect(text).not.toContain("no route");
  expect((await read())("source_up")).toBe(1);
  watcher.source?.(null);
  expect(samplesOf(await metrics.render()).get('odorobo_gateway_source_up{fleet="other"}')).toBe(1);
  expect(loop.state.revisions).toEqual([]);
});

test("a fleet that left gateway.yaml leaves no series, and one that comes back begins anew", async () => {
  const { clock, metrics, read } = aGateway();
  const watcher = metrics.watcher("left");
  const loop = new ToldLoop(clock, watcher);
  loop
    .push("r1")
    .see("n1", "-n2")
    .plan("r1", [aChange("web-1")]);
  loop.apply({ event: "started", at: clock.now(), steps: 1 });
  expect(await metrics.render()).toContain('fleet="left"');
  watcher[Symbol.dispose]();
  expect(await metrics.render()).not.toContain('fleet="left"');
  expect((await read())("source_up")).toBe(1);
  metrics.watcher("left");
  watcher[Symbol.dispose]();
  expect(await metrics.render()).toContain('odorobo_gateway_source_up{fleet="left"} 1');
});

test("webhooks by what became of them, those of no fleet too", async () => {
  const { metrics } = aGateway();
  metrics.hook("shop", "accepted");
  for (let count = 0; count < 2; count++) metrics.hook(null, "unknown-fleet");
  const samples = samplesOf(await metrics.render());
  expect(samples.get('odorobo_gateway_webhooks_total{fleet="shop",result="accepted"}')).toBe(1);
  expect(samples.get('odorobo_gateway_webhooks_total{fleet="",result="unknown-fleet"}')).toBe(2);
});

test.runIf(requires("metrics judged by promtool", "promtool"))("promtool finds nothing to say of them", async () => {
  const { loop, metrics } = aGateway();
  loop
    .push("r1")
    .plan("r1", [aChange("web-1")])
    .see("n1", "-n2");
  metrics.hook("shop", "accepted");
  metrics.notification("slack", "sent");
  expect(promtool(["check", "metrics"], { input: await metrics.render() })).toEqual({ isFine: true, said: "" });
});
