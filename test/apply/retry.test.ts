import { expect, test } from "vitest";
import { delayAfter, RETRY_POLICY } from "../../src/apply/retry.ts";
import { OdoroboError } from "../../src/model/errors.ts";
import { nodeName, vmName } from "../../src/model/names.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { Rehearsal, tellEnd } from "../support/an-apply.ts";

const createAndBoot = () =>
  aRunnablePlan()
    .step("createVm", "web-1", "n1")
    .step("bootVm", "web-1", "n1", { after: ["createVm-web-1"] });

test("a lost answer: the agent did it, is asked again with the same id, and does it once", async () => {
  const rehearsal = new Rehearsal("n1");
  rehearsal.fleet.behave(({ times }) => (times === 1 ? { losesAnswer: true } : undefined));
  const report = await rehearsal.apply(createAndBoot().build());
  expect(report.steps.map((step) => [step.outcome, step.attempts])).toEqual([
    ["done", 2],
    ["done", 2],
  ]);
  expect(rehearsal.fleet.story).toEqual(["create web-1 on n1", "boot web-1 on n1"]);
  expect(rehearsal.fleet.callsFor("web-1").map((call) => call.id)).toEqual([
    "createVm-web-1",
    "createVm-web-1",
    "bootVm-web-1",
    "bootVm-web-1",
  ]);
  expect(rehearsal.fleet.broken).toEqual([]);
});

test("asked again while the act is still going on, the agent lets both wait for the one act", async () => {
  const rehearsal = new Rehearsal("n1");
  const { time } = rehearsal;
  const agent = rehearsal.fleet.on("n1");
  const never = new AbortController().signal;
  const timeout = new OdoroboError("AGENT_TIMEOUT", "no answer after 200 ms");
  const real = agent.operate.bind(agent);
  let asked = 0;
  agent.operate = (vm, request, signal) => {
    asked++;
    if (asked > 1) return real(vm, request, signal);
    return Promise.race([real(vm, request, signal), time.sleep(200, never).then(() => Promise.reject(timeout))]);
  };
  agent.onCall = ({ request }) => (request.kind === "boot" ? { during: time.sleep(3_000, never) } : undefined);
  const report = await rehearsal.apply(createAndBoot().build());
  expect(report.steps[1]).toMatchObject({ outcome: "done", attempts: 2, milliseconds: 3_000 });
  expect(rehearsal.fleet.timesBooted("web-1")).toBe(1);
});

test("each retry is told, with the wait before it", async () => {
  const rehearsal = new Rehearsal("n1");
  rehearsal.fleet.behave(({ times, vm }) => (vm === vmName("web-1") && times < 4 ? { unreachable: true } : undefined));
  await rehearsal.apply(aRunnablePlan().step("createVm", "web-1", "n1").build());
  expect(rehearsal.told).toEqual([
    "started 1",
    "begin create web-1 on n1",
    "retry create web-1 on n1 in 500 ms: AGENT_UNREACHABLE",
    "retry create web-1 on n1 in 1000 ms: AGENT_UNREACHABLE",
    "retry create web-1 on n1 in 2000 ms: AGENT_UNREACHABLE",
    "done create web-1 on n1",
    "done",
  ]);
});

test("waits double up to their cap", () => {
  expect([1, 2, 3, 4, 5, 6, 60].map((attempts) => delayAfter(attempts, RETRY_POLICY))).toEqual([
    500, 1000, 2000, 4000, 5000, 5000, 5000,
  ]);
});

test("attempts are bounded; what waits for the step is skipped, other nodes go on", async () => {
  const rehearsal = new Rehearsal("n1", "n2");
  rehearsal.fleet.on("n1").silent = true;
  const plan = createAndBoot().step("createVm", "web-2", "n2");
  const report = await rehearsal.apply(plan.build());
  expect(report.steps.map(tellEnd)).toEqual([
    "failed create web-1 on n1: AGENT_UNREACHABLE",
    "skipped boot web-1 on n1: create web-1 on n1 failed",
    "done create web-2 on n2",
  ]);
  expect(report.steps[0]).toMatchObject({ attempts: RETRY_POLICY.attempts, milliseconds: 7_500 });
});

test("a node that is gone is waited for once, not by each of its steps", async () => {
  const rehearsal = new Rehearsal("n1");
  rehearsal.fleet.on("n1").silent = true;
  const plan = aRunnablePlan();
  for (let number = 0; number < 100; number++) plan.step("createVm", `web-${number}`, "n1");
  const report = await rehearsal.apply(plan.build(), { limits: { total: 64, perNode: 8 } });
  expect(report.counts).toEqual({ done: 0, failed: 100, skipped: 0 });
  expect(report.steps.map((step) => step.attempts)).toEqual([...Array(8).fill(5), ...Array(92).fill(1)]);
  expect(rehearsal.time.monotonicMs()).toBe(7_500);
});

test("a node that comes back has all its attempts again", async () => {
  const rehearsal = new Rehearsal("n1");
  const cut = new Set(["a1", "a2", "a3", "a4", "a5", "c1"]);
  rehearsal.fleet.behave(({ vm, times }) => (cut.has(`${vm}${times}`) ? { unreachable: true } : undefined));
  const plan = aRunnablePlan().step("createVm", "a", "n1").step("createVm", "b", "n1").step("createVm", "c", "n1");
  const report = await rehearsal.apply(plan.build(), { limits: { total: 1, perNode: 1 } });
  expect(report.steps.map((step) => [step.outcome, step.attempts])).toEqual([
    ["failed", 5],
    ["done", 1],
    ["done", 2],
  ]);
});

test("an agent that is stopping is asked again, one that refuses is not", async () => {
  const rehearsal = new Rehearsal("n1");
  const stopping = new OdoroboError("AGENT_STOPPING", "the agent is stopping");
  const refused = new OdoroboError("IMAGE_MISSING", "no image debian-12 on n1", { hint: "put it there" });
  rehearsal.fleet.behave(({ vm, times }) => {
    if (vm === vmName("web-2")) return { refuse: refused };
    return times === 1 ? { refuse: stopping } : undefined;
  });
  const plan = aRunnablePlan().step("createVm", "web-1", "n1").step("createVm", "web-2", "n1");
  const report = await rehearsal.apply(plan.build());
  expect(report.steps.map((step) => [step.outcome, step.attempts])).toEqual([
    ["done", 2],
    ["failed", 1],
  ]);
  expect(report.steps[1]?.error).toEqual({
    code: "IMAGE_MISSING",
    message: "no image debian-12 on n1",
    hint: "put it there",
  });
});

test("after Ctrl-C a step that is between two attempts is still finished", async () => {
  const rehearsal = new Rehearsal("n1");
  rehearsal.fleet.behave(({ times }) => (times === 1 ? { losesAnswer: true } : undefined));
  rehearsal.time.after(100, () => rehearsal.interrupt.abort());
  const report = await rehearsal.apply(createAndBoot().build());
  expect(report.steps.map(tellEnd)).toEqual(["done create web-1 on n1", "skipped boot web-1 on n1: interrupted"]);
});

test("answers that are none are said to be the agent's fault", async () => {
  const rehearsal = new Rehearsal("n1");
  const agent = rehearsal.fleet.on("n1");
  const real = agent.putVm.bind(agent);
  const lies = [{ outcome: "running" }, { outcome: "failed", error: null }, { id: "other" }, { after: null }] as const;
  const said: (string | undefined)[] = [];
  for (const lie of lies) {
    agent.putVm = async (vm, request, signal) => ({ ...(await real(vm, request, signal)), ...lie });
    const report = await rehearsal.apply(aRunnablePlan().step("createVm", "web-1", "n1").build());
    said.push(report.steps[0]?.error?.code, report.steps[0]?.error?.message);
  }
  expect(said).toEqual([
    "AGENT_PROTOCOL",
    "n1 says of createVm-web-1 that it is still running, though it was asked to wait",
    "AGENT_PROTOCOL",
    "n1 says of createVm-web-1 that it failed and not why",
    "AGENT_PROTOCOL",
    "n1 answered createVm-web-1 with other of web-1",
    "AGENT_PROTOCOL",
    "n1 answered createVm-web-1 without saying what the VM now is",
  ]);
  expect(rehearsal.fleet.agent(nodeName("n1")).calls).toHaveLength(4);
});
