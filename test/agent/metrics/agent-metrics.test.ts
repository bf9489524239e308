import { describe, expect, test } from "vitest";
import { AgentMetrics } from "../../../src/agent/metrics/agent-metrics.ts";
import { MAX_VMS } from "../../../src/agent/metrics/vm-series.ts";
import { anAgent } from "../../support/an-agent.ts";
import { FakeLifecycle } from "../../support/fake-lifecycle.ts";
import { handlerAgent, socketAgent } from "../../support/http-agent.ts";
import { samplesOf } from "../../support/metrics-text.ts";
import { promtool } from "../../support/promtool.ts";
import { requires } from "../../support/requirements.ts";
import { until } from "../../support/until.ts";
import { aNodeReport, aVmReport } from "../../support/wire-builders.ts";

const metricsOf = async (agent: { fetch(path: string, init?: RequestInit): Promise<Response> }) => {
  const answer = await agent.fetch("/metrics");
  expect([answer.status, answer.headers.get("content-type")]).toEqual([
    200,
    "text/plain; version=0.0.4; charset=utf-8",
  ]);
  return samplesOf(await answer.text());
};
const aCounter = (perVm = false) => new AgentMetrics({ nodeName: "n1", version: "0.1.0", perVm });

test("what VMs are there, in which phases, and how much room they hold", async () => {
  const vms = [
    aVmReport("a", { phase: "running" }),
    aVmReport("b", { phase: "running", drift: [{ path: "cpus.count", applied: 1, live: 2 }] }),
    aVmReport("c", { phase: "crashed", restart: { attempts: 10, nextAt: null, givenUp: true } }),
  ];
  await using agent = await handlerAgent({ lifecycle: new FakeLifecycle("n1", vms) });
  const samples = await metricsOf(agent);
  const { cpus, memory } = vms[0]!.spec;
  expect(samples.get('odorobo_node_vms{phase="running"}')).toBe(2);
  expect(samples.get('odorobo_node_vms{phase="crashed"}')).toBe(1);
  expect(samples.get('odorobo_node_vms{phase="stopped"}')).toBe(0);
  expect(samples.get("odorobo_node_vms_drifted")).toBe(1);
  expect(samples.get("odorobo_node_vms_given_up")).toBe(1);
  expect(samples.get("odorobo_node_cpus")).toBe(agent.lifecycle.reported.capacity.cpus);
  expect(samples.get("odorobo_node_cpus_used")).toBe(3 * cpus.count);
  expect(samples.get("odorobo_node_memory_used_bytes")).toBe(3 * memory.sizeMiB * 2 ** 20);
});

test("what was done is counted by kind and outcome, with how long it took; what the agent did by itself, too", async () => {
  const tally = aCounter();
  await using agent = await anAgent({ tally, processes: true });
  await agent.put("web-1");
  await agent.boot("web-1");
  agent.processes.end(agent.processes.running()[0]!.pid, { code: 1, signal: null });
  await agent.vm("web-1");
  await until("it ended", async () => (await agent.vm("web-1")).phase !== "running");
  agent.clock.advance(60_000);
  let samples = new Map<string, number>();
  await until("the restart is counted", async () => {
    samples = samplesOf(await tally.render(agent.lifecycle.known()));
    return samples.get('odorobo_agent_guest_restarts_total{outcome="done"}') === 1;
  });
  expect(samples.get('odorobo_agent_operations_total{kind="create",outcome="done"}')).toBe(1);
  // The second one was the agent's own idea.
  expect(samples.get('odorobo_agent_operations_total{kind="boot",outcome="done"}')).toBe(2);
  expect(samples.get('odorobo_agent_operation_duration_seconds_count{kind="boot"}')).toBe(2);
  expect(samples.get('odorobo_agent_guest_ends_total{how="crash"}')).toBe(1);
  expect(samples.get('odorobo_node_vms{phase="running"}')).toBe(1);
});

test("the log's line of an operation says the run that it was a step of", async () => {
  const lines: object[] = [];
  const note = (fields: object, message: string) => void lines.push({ ...fields, message });
  await using agent = await anAgent({ logger: { info: note, warn: note, error: note } });
  await agent.put("web-1", { id: "step-1", run: "20261128-120000-abcd" });
  expect(lines).toMatchObject([{ vm: "web-1", operation: "step-1", run: "20261128-120000-abcd" }]);
});

describe("who asks", () => {
  const token = { read: async () => "the-token" };

  test("metrics are behind the gate like all that the agent says, and who was turned away is counted without a name", async () => {
    await using agent = await socketAgent({ token });
    expect((await agent.fetch("/metrics")).status).toBe(401);
    const wrong = { headers: { authorization: "Bearer not-the-token" } };
    expect((await agent.fetch("/v1/report", wrong)).status).toBe(401);
    const right = { headers: { authorization: "Bearer the-token" } };
    const text = await (await agent.fetch("/metrics", right)).text();
    const samples = samplesOf(text);
    expect(samples.get('odorobo_agent_refusals_total{code="UNAUTHORIZED"}')).toBe(2);
    expect(samples.get('odorobo_agent_http_requests_total{method="GET",status="401"}')).toBe(2);
    expect(text).not.toMatch(/token|127\.0\.0\.1/);
  });

  test("whoever may observe may scrape; a role that is too small is counted as refused", async () => {
    await using agent = await handlerAgent();
    const prometheus = { name: "prometheus", role: "observe", by: "token" } as const;
    expect((await agent.fetchAs(prometheus, "/metrics")).status).toBe(200);
  });

  test("methods that somebody thought up make one series", async () => {
    await using agent = await socketAgent();
    for (const method of ["PURGE", "REPORT", "SEARCH"]) await agent.fetch("/v1/report", { method });
    const samples = await metricsOf(agent);
    expect(samples.get('odorobo_agent_http_requests_total{method="other",status="405"}')).toBe(3);
  });
});

test("VMs are named only where that was asked for, and no more than a bounded number of them", async () => {
  const many = Array.from({ length: MAX_VMS + 7 }, (_, index) => aVmReport(`vm-${String(index).padStart(5, "0")}`));
  const lifecycle = new FakeLifecycle("n1", many);
  await using counting = await handlerAgent({ lifecycle });
  expect([...(await metricsOf(counting)).keys()].filter((name) => name.includes("vm-0"))).toEqual([]);
  await using naming = await handlerAgent({ lifecycle, metricsPerVm: true });
  const samples = await metricsOf(naming);
  expect([...samples.keys()].filter((name) => name.startsWith("odorobo_vm_cpus{"))).toHaveLength(MAX_VMS);
  expect(samples.get("odorobo_vm_series_left_out")).toBe(7);
  // Who is gone has no series any more.
  lifecycle.reported = aNodeReport("n1", { vms: many.slice(0, 1) });
  const fewer = await metricsOf(naming);
  expect([...fewer.keys()].filter((name) => name.startsWith("odorobo_vm_phase{"))).toEqual([
    'odorobo_vm_phase{vm="vm-00000",phase="running"}',
  ]);
});

test("a hundred VMs are told of in a few milliseconds of CPU, and nothing turns between two scrapes", async () => {
  const vms = Array.from({ length: 100 }, (_, index) => aVmReport(`vm-${index}`));
  const tally = aCounter();
  const report = aNodeReport("n1", { vms });
  await tally.render(report);
  const before = process.cpuUsage();
  for (let round = 0; round < 50; round++) await tally.render(report);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000 / 50).toBeLessThan(20);
  expect(process.getActiveResourcesInfo().filter((each) => each === "ELDHistogram")).toEqual([]);
});

test.runIf(requires("metrics judged by promtool", "promtool"))("promtool finds nothing to say of them", async () => {
  const lifecycle = new FakeLifecycle("n1", [aVmReport("a"), aVmReport("b")]);
  await using agent = await handlerAgent({ lifecycle, metricsPerVm: true });
  const text = await (await agent.fetch("/metrics")).text();
  expect(promtool(["check", "metrics"], { input: text })).toEqual({ isFine: true, said: "" });
  // It is heard at all.
  const camel = promtool(["check", "metrics"], { input: "# HELP aB c\n# TYPE aB gauge\naB 1\n" });
  expect(camel.isFine).toBe(false);
});
