import { expect, test } from "vitest";
import type { Behaviour } from "../../src/agent/rehearsal/rehearsed-agent.ts";
import { digestOfText } from "../../src/model/digest.ts";
import { OdoroboError } from "../../src/model/errors.ts";
import { vmName } from "../../src/model/names.ts";
import { untilQuiet } from "../../src/platform/virtual-time.ts";
import { aSpec } from "../support/a-fleet.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { Rehearsal, tellEnd } from "../support/an-apply.ts";

const boom = { code: "HYPERVISOR_FAILED", message: "out of memory" } as const;

const twoVms = () =>
  aRunnablePlan()
    .step("createVm", "web-1", "n1")
    .step("bootVm", "web-1", "n1", { after: ["createVm-web-1"] })
    .step("createVm", "web-2", "n1")
    .step("bootVm", "web-2", "n1", { after: ["createVm-web-2"] });

test("a plan is carried out, and told step by step", async () => {
  const rehearsal = new Rehearsal("n1");
  const report = await rehearsal.apply(twoVms().build());
  expect(report).toMatchObject({ outcome: "done", counts: { done: 4, failed: 0, skipped: 0 } });
  expect(report.steps.map(tellEnd)).toEqual([
    "done create web-1 on n1",
    "done boot web-1 on n1",
    "done create web-2 on n1",
    "done boot web-2 on n1",
  ]);
  expect(rehearsal.told).toEqual([
    "started 4",
    "begin create web-1 on n1",
    "begin create web-2 on n1",
    "done create web-1 on n1",
    "begin boot web-1 on n1",
    "done create web-2 on n1",
    "begin boot web-2 on n1",
    "done boot web-1 on n1",
    "done boot web-2 on n1",
    "done",
  ]);
  expect(
    rehearsal.fleet
      .on("n1")
      .look()
      .vms.map((vm) => [vm.name, vm.phase, vm.fleet]),
  ).toEqual([
    ["web-1", "running", "test"],
    ["web-2", "running", "test"],
  ]);
  expect(rehearsal.fleet.broken).toEqual([]);
});

test("a plan without steps is done at once", async () => {
  const rehearsal = new Rehearsal("n1");
  expect(await rehearsal.apply(aRunnablePlan().build())).toMatchObject({ outcome: "done", steps: [] });
  expect(rehearsal.told).toEqual(["started 0", "done"]);
});

test("every step of a VM expects what the one before it left behind", async () => {
  const rehearsal = new Rehearsal("n1");
  const plan = aRunnablePlan()
    .step("createVm", "web-1", "n1", { generation: 4 })
    .step("bootVm", "web-1", "n1", { after: ["createVm-web-1"] })
    .step("rebootVm", "web-1", "n1", { after: ["bootVm-web-1"] })
    .step("shutdownVm", "web-1", "n1", { after: ["rebootVm-web-1"] })
    .step("deleteVm", "web-1", "n1", { after: ["shutdownVm-web-1"] });
  expect(await rehearsal.apply(plan.build())).toMatchObject({ outcome: "done" });
  expect(rehearsal.fleet.callsFor("web-1").map(({ request }) => [request.kind, request.expect])).toEqual([
    ["put", null],
    ["boot", { generation: 4, serial: 1 }],
    ["reboot", { generation: 4, serial: 2 }],
    ["shutdown", { generation: 4, serial: 3 }],
    ["delete", { generation: 4, serial: 4 }],
  ]);
});

test("one failure takes down what waits for it, and nothing else", async () => {
  const rehearsal = new Rehearsal("n1");
  rehearsal.fleet.behave(({ id }) => (id === "createVm-web-1" ? { fail: boom } : undefined));
  const plan = twoVms().step("createVm", "db-1", "n1", { after: ["bootVm-web-1", "bootVm-web-2"] });
  const report = await rehearsal.apply(plan.build());
  expect(report).toMatchObject({ outcome: "failed", counts: { done: 2, failed: 1, skipped: 2 } });
  expect(report.steps.map(tellEnd)).toEqual([
    "failed create web-1 on n1: HYPERVISOR_FAILED",
    "skipped boot web-1 on n1: create web-1 on n1 failed",
    "done create web-2 on n1",
    "done boot web-2 on n1",
    "skipped create db-1 on n1: create web-1 on n1 failed",
  ]);
  expect(report.steps[0]).toMatchObject({ error: boom, attempts: 1 });
  expect(report.steps[1]).toMatchObject({ attempts: 0, milliseconds: 0, error: null });
});

test("a step starts as soon as it can, not when the slowest of its generation has ended", async () => {
  const rehearsal = new Rehearsal("n1");
  const { time } = rehearsal;
  const never = new AbortController().signal;
  rehearsal.fleet.behave(({ vm }) => ({ during: time.sleep(vm === vmName("web-1") ? 1000 : 10, never) }));
  const report = await rehearsal.apply(twoVms().build());
  expect(report.steps.map((step) => step.milliseconds)).toEqual([1000, 1000, 10, 10]);
  expect(time.monotonicMs()).toBe(2000);
});

test("limits hold in all and on each node, and plan order decides who is first", async () => {
  const rehearsal = new Rehearsal("n1", "n2");
  const never = new AbortController().signal;
  rehearsal.fleet.behave(() => ({ during: rehearsal.time.sleep(10, never) }));
  const plan = aRunnablePlan();
  for (const name of ["a", "b", "c"]) plan.step("createVm", name, "n1");
  for (const name of ["d", "e", "f"]) plan.step("createVm", name, "n2");
  await rehearsal.apply(plan.build(), { limits: { total: 3, perNode: 2 } });
  const begun = rehearsal.events.flatMap((event) =>
    event.event === "step-started" ? [`${event.title} at ${event.at.slice(20, 23)}`] : [],
  );
  expect(begun).toEqual([
    "create a on n1 at 000",
    "create b on n1 at 000",
    "create d on n2 at 000",
    "create c on n1 at 010",
    "create e on n2 at 010",
    "create f on n2 at 010",
  ]);
});

test("Ctrl-C: what is in flight is finished, nothing new begins", async () => {
  const rehearsal = new Rehearsal("n1");
  const never = new AbortController().signal;
  rehearsal.fleet.behave(() => ({ during: rehearsal.time.sleep(10, never) }));
  rehearsal.time.after(5, () => rehearsal.interrupt.abort());
  const report = await rehearsal.apply(twoVms().build());
  expect(report.outcome).toBe("interrupted");
  expect(report.steps.map(tellEnd)).toEqual([
    "done create web-1 on n1",
    "skipped boot web-1 on n1: interrupted",
    "done create web-2 on n1",
    "skipped boot web-2 on n1: interrupted",
  ]);
  expect(rehearsal.told).toContain("interrupting 2");
});

test("Ctrl-C before the first step: nothing is begun", async () => {
  const rehearsal = new Rehearsal("n1");
  rehearsal.interrupt.abort();
  const report = await rehearsal.apply(twoVms().build());
  expect(report).toMatchObject({ outcome: "interrupted", counts: { done: 0, failed: 0, skipped: 4 } });
  expect(rehearsal.fleet.callsFor("web-1")).toEqual([]);
});

test("Ctrl-C that comes too late to stop anything changes nothing about how the plan went", async () => {
  const rehearsal = new Rehearsal("n1");
  const never = new AbortController().signal;
  rehearsal.fleet.behave(() => ({ during: rehearsal.time.sleep(10, never) }));
  rehearsal.time.after(5, () => rehearsal.interrupt.abort());
  const report = await rehearsal.apply(aRunnablePlan().step("createVm", "web-1", "n1").build());
  expect(report.outcome).toBe("done");
});

test("a second Ctrl-C ends the waiting; the agent finishes what it has begun", async () => {
  const rehearsal = new Rehearsal("n1");
  const never = new AbortController().signal;
  rehearsal.fleet.behave(() => ({ during: rehearsal.time.sleep(60_000, never) }));
  rehearsal.time.after(5, () => rehearsal.interrupt.abort());
  rehearsal.time.after(9, () => rehearsal.giveUp.abort());
  const report = await rehearsal.apply(twoVms().build());
  expect(report.outcome).toBe("interrupted");
  expect(report.steps.map(tellEnd)).toEqual([
    "failed create web-1 on n1: OPERATION_INTERRUPTED",
    "skipped boot web-1 on n1: interrupted",
    "failed create web-2 on n1: OPERATION_INTERRUPTED",
    "skipped boot web-2 on n1: interrupted",
  ]);
  expect(report.steps[0]?.error?.message).toBe("not waited for: n1 may still be at it, and finishes what it has begun");
  expect(rehearsal.time.monotonicMs()).toBe(9);
  const told = rehearsal.events.length;
  await rehearsal.time.until(rehearsal.time.sleep(100_000, never));
  expect(rehearsal.fleet.story).toEqual(["create web-1 on n1", "create web-2 on n1"]);
  expect(rehearsal.events.length).toBe(told);
});

test("a second Ctrl-C ends also the wait before another attempt", async () => {
  const rehearsal = new Rehearsal("n1");
  rehearsal.fleet.on("n1").silent = true;
  rehearsal.time.after(600, () => rehearsal.giveUp.abort());
  const report = await rehearsal.apply(aRunnablePlan().step("createVm", "web-1", "n1").build());
  expect(report.steps[0]).toMatchObject({ outcome: "failed", attempts: 2, error: { code: "OPERATION_INTERRUPTED" } });
  expect(rehearsal.time.monotonicMs()).toBe(600);
});

test("only the texts that a spec refers to go to its agent", async () => {
  const rehearsal = new Rehearsal("n1");
  const mine = digestOfText("mine");
  const spec = aSpec({ cloudInit: { userData: mine, networkConfig: null, sshKeys: [] } });
  const files = new Map([
    [mine, "mine"],
    [digestOfText("other"), "other"],
  ]);
  const plan = aRunnablePlan().step("createVm", "web-1", "n1", { spec }).build();
  expect(await rehearsal.apply(plan, { files })).toMatchObject({ outcome: "done" });
  expect(rehearsal.fleet.callsFor("web-1")[0]?.request).toMatchObject({
    files: { [mine]: "mine" },
    fleet: "test",
    commit: plan.base.commit,
  });
});

test("a text that the manifests at hand do not have is found before anything begins", async () => {
  const rehearsal = new Rehearsal("n1");
  const spec = aSpec({ cloudInit: { userData: digestOfText("lost"), networkConfig: null, sshKeys: [] } });
  const plan = twoVms().step("createVm", "db-1", "n1", { spec }).build();
  await expect(rehearsal.apply(plan)).rejects.toMatchObject({
    code: "PLAN_STALE",
    message: expect.stringMatching(/^the cloud-init text [0-9a-f]{12} of db-1 is not in the manifests$/),
    hint: expect.stringContaining("./fleet at 1a2b3c4d"),
  });
  expect(rehearsal.events).toEqual([]);
});

const brokenPlans = {
  "a step that waits for a later one": aRunnablePlan()
    .step("createVm", "web-1", "n1", { after: ["createVm-web-2"] })
    .step("createVm", "web-2", "n1"),
  "a step that waits for itself": aRunnablePlan().step("createVm", "web-1", "n1", { after: ["createVm-web-1"] }),
  "a step that waits for nobody's id": aRunnablePlan().step("createVm", "web-1", "n1", { after: ["gone"] }),
  "two steps with one id": aRunnablePlan().step("createVm", "web-1", "n1").step("createVm", "web-1", "n1"),
  "no spec": twoVms().with({ specs: {} }),
};
for (const [what, plan] of Object.entries(brokenPlans)) {
  test(`a plan with ${what} begins nothing`, async () => {
    const rehearsal = new Rehearsal("n1");
    await expect(rehearsal.apply(plan.build())).rejects.toMatchObject({ code: "PLAN_BROKEN" });
    expect(rehearsal.events).toEqual([]);
  });
}

test("a plan that a guard forbids begins nothing", async () => {
  const rehearsal = new Rehearsal("n1");
  const refusals = [{ code: "PLAN_REFUSED", message: "it destroys 9 VMs", hint: "--allow-destroy 9" }] as const;
  await expect(rehearsal.apply(twoVms().with({ refusals }).build())).rejects.toMatchObject({
    code: "PLAN_REFUSED",
    message: "this plan must not be applied: it destroys 9 VMs",
    hint: "--allow-destroy 9",
  });
  expect(rehearsal.events).toEqual([]);
});

test("a VM that somebody changed meanwhile is left alone, and the report says what was expected and what it is", async () => {
  const rehearsal = new Rehearsal("n1");
  await rehearsal.apply(twoVms().build());
  rehearsal.fleet.on("n1").crash(vmName("web-1"));
  const plan = aRunnablePlan()
    .step("rebootVm", "web-1", "n1", { expect: { generation: 1, serial: 2 } })
    .step("shutdownVm", "web-2", "n1", { expect: { generation: 1, serial: 2 } });
  plan.step("updateVm", "web-1", "n1", { generation: 2, expect: { generation: 1, serial: 2 } });
  const report = await rehearsal.apply(plan.build());
  expect(report.steps.map(tellEnd)).toEqual([
    "failed reboot web-1 on n1: STALE_SERIAL",
    "done shut down web-2 on n1",
    "failed update web-1 on n1: STALE_SERIAL",
  ]);
  expect(report.steps[2]?.error?.message).toMatch(
    /^web-1 is not as the plan saw it \(generation 1, serial 2\); n1 says: web-1 is at serial 3 \(crashed since .+\), you had seen 2$/,
  );
});

test("a VM that changes between two steps of the plan stops its own chain", async () => {
  const rehearsal = new Rehearsal("n1");
  const agent = rehearsal.fleet.on("n1");
  const plan = aRunnablePlan()
    .step("createVm", "web-1", "n1")
    .step("bootVm", "web-1", "n1", { after: ["createVm-web-1"] })
    .step("rebootVm", "web-1", "n1", { after: ["bootVm-web-1"] })
    .build();
  const report = await rehearsal.apply(plan, {
    onEvent: (event) => {
      const booted = event.event === "step-ended" && event.report.kind === "bootVm";
      if (booted) agent.tamper(vmName("web-1"), { cpus: { count: 2, max: 2 } });
    },
  });
  expect(report.steps[2]?.error?.message).toMatch(
    /^web-1 is not as the step before left it \(generation 1, serial 2\); n1 says: web-1 is at serial 3 /,
  );
});

test("an agent that nobody can name is a failed step, not a crash", async () => {
  const rehearsal = new Rehearsal("n1");
  const plan = aRunnablePlan().step("createVm", "web-1", "n9").step("createVm", "web-2", "n1");
  const report = await rehearsal.apply(plan.build());
  expect(report.steps.map(tellEnd)).toEqual(["failed create web-1 on n9: INTERNAL", "done create web-2 on n1"]);
});

test("a listener that throws stops the run gently, and its error is what apply rejects with", async () => {
  const rehearsal = new Rehearsal("n1");
  const pipe = new Error("EPIPE");
  let calls = 0;
  const applying = rehearsal.apply(twoVms().build(), {
    onEvent: () => {
      calls++;
      if (calls === 3) throw pipe;
    },
  });
  await expect(applying).rejects.toBe(pipe);
  await untilQuiet();
  expect(calls).toBe(3);
  expect(rehearsal.fleet.story).toEqual(["create web-1 on n1", "create web-2 on n1"]);
});

test("no listener is left on a signal that outlives the apply", async () => {
  const rehearsal = new Rehearsal("n1");
  const report = await rehearsal.apply(twoVms().build());
  rehearsal.interrupt.abort();
  rehearsal.giveUp.abort();
  expect(report.outcome).toBe("done");
  expect(rehearsal.told.at(-1)).toBe("done");
});

const badAnswers: Record<string, Behaviour> = {
  "an error that is nobody's": { refuse: new Error("HTML") as OdoroboError },
  "a failure that is not retryable": { refuse: new OdoroboError("UNAUTHORIZED", "no token", { hint: "give one" }) },
};
for (const [what, behaviour] of Object.entries(badAnswers)) {
  test(`${what} is tried once`, async () => {
    const rehearsal = new Rehearsal("n1");
    rehearsal.fleet.behave(() => behaviour);
    const report = await rehearsal.apply(aRunnablePlan().step("createVm", "web-1", "n1").build());
    expect(report.steps[0]).toMatchObject({ outcome: "failed", attempts: 1 });
    expect(rehearsal.fleet.story).toEqual([]);
  });
}
