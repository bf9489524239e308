/** Two runs at one agent: on different VMs they know nothing of each other; on the same the second is told whose it is. */
import { expect, test } from "vitest";
import { OdoroboError } from "../../../src/model/errors.ts";
import { vmName } from "../../../src/model/names.ts";
import { connectAgent } from "../../../src/wire/client.ts";
import { aLiveFleet } from "../../support/a-live-fleet.ts";
import { anAgent, aSpec, NEVER } from "../../support/an-agent.ts";
import { until } from "../../support/until.ts";
import { aPut, aWireSpec } from "../../support/wire-builders.ts";

/** A shutdown of it lasts until somebody asks for one without grace. */
const stubborn = { annotations: { "noop.odorobo.dev/ignore-power-button": "true" } };
const PATIENTLY = { kind: "shutdown", graceSeconds: 600 } as const;

const refusalOf = (promise: Promise<unknown>): Promise<OdoroboError> =>
  promise.then(
    () => {
      throw new Error("it was not refused");
    },
    (error) => {
      if (error instanceof OdoroboError) return error;
      throw error;
    },
  );

test("the second on the same VM is told at once which run, which step, since when; on another VM it proceeds", async () => {
  await using agent = await anAgent();
  await agent.put("web-1", { spec: aSpec(stubborn) });
  await agent.boot("web-1");
  await agent.put("web-2");
  const { generation, serial } = await agent.vm("web-1");
  const expectation = { generation, serial };
  const stopping = agent.operate("web-1", { ...PATIENTLY, id: "stop-1", expect: expectation, run: "run-a" });
  await until("it is stopping", async () => (await agent.vm("web-1")).phase === "stopping");

  const [unfinished] = (await agent.lifecycle.report(NEVER)).unfinished;
  expect(unfinished).toMatchObject({ id: "stop-1", run: "run-a", begunAt: expect.any(String) });
  const refused = await refusalOf(
    agent.operate("web-1", { kind: "delete", graceSeconds: 0, id: "delete-1", expect: expectation, run: "run-b" }),
  );
  const since = unfinished?.begunAt;
  expect(refused).toMatchObject({
    code: "STALE_SERIAL",
    message: `web-1 is in the hands of the run run-a, with its step stop-1, since ${since}`,
    conflict: { run: "run-a", step: "stop-1", since },
  });
  // At once: the first is still under way.
  expect((await agent.vm("web-1")).phase).toBe("stopping");
  expect((await agent.operate("web-2", { kind: "boot", run: "run-b" })).outcome).toBe("done");

  // A step of the same id is the same step, whoever asks; a person is no run, and waits or hurries as ever.
  const same = agent.operate("web-1", { ...PATIENTLY, id: "stop-1", expect: expectation, run: "run-b" });
  await agent.shutdown("web-1", 0);
  expect(await stopping).toMatchObject({ outcome: "done", noop: false });
  expect(await same).toMatchObject({ outcome: "done", noop: false });
});

test("what has ended is told as well: whose step it was that made it another VM than was seen", async () => {
  await using agent = await anAgent();
  await agent.put("web-1", { id: "create-1", run: "run-a" });
  const { generation, serial } = await agent.vm("web-1");
  await agent.operate("web-1", { kind: "boot", id: "boot-1", run: "run-a" });
  await agent.restart();
  const expectation = { generation, serial };
  const stale = agent.operate("web-1", { kind: "delete", graceSeconds: 0, expect: expectation, run: "run-b" });
  expect(await refusalOf(stale)).toMatchObject({
    code: "STALE_SERIAL",
    message: expect.stringContaining("; the run run-a has done its step boot-1 at "),
    conflict: { run: "run-a", step: "boot-1", since: expect.any(String) },
  });
  const older = agent.put("web-1", { id: "create-2", spec: aSpec({ protect: true }), run: "run-b" });
  expect(await refusalOf(older)).toMatchObject({ code: "STALE_GENERATION", conflict: { run: "run-a" } });
  // By hand since: nobody's run is in the way.
  await agent.shutdown("web-1", 0);
  const byHand = agent.operate("web-1", { kind: "boot", expect: expectation, run: "run-b" });
  expect((await refusalOf(byHand)).conflict).toBeUndefined();
});

test("over the wire the run is a header, and no field of a body that an agent of before would refuse", async () => {
  await using fleet = await aLiveFleet("n1");
  const client = connectAgent({ address: fleet.url("n1") });
  try {
    const spec = aWireSpec({ disks: [], nics: [], ...stubborn });
    const web1 = vmName("web-1");
    const byHand = (id: string) => ({ id, expect: null });
    await client.putVm(web1, aPut({ spec, run: "run-a" }), NEVER);
    await client.operate(web1, { kind: "boot", ...byHand("boot-1"), run: "run-a" }, NEVER);
    const stopping = client.operate(web1, { ...PATIENTLY, ...byHand("stop-1"), run: "run-a" }, NEVER);
    await until("it is under way", async () => (await client.report(NEVER)).unfinished[0]?.run === "run-a");
    const other = client.operate(web1, { kind: "reboot", graceSeconds: 0, ...byHand("r"), run: "run-b" }, NEVER);
    expect((await refusalOf(other)).conflict).toMatchObject({ run: "run-a", step: "stop-1" });
    await client.operate(web1, { kind: "shutdown", graceSeconds: 0, ...byHand("now") }, NEVER);
    expect((await stopping).outcome).toBe("done");
    const body = JSON.stringify({ id: "x", kind: "boot", expect: null, run: "run-c" });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${fleet.url("n1")}/v1/vms/web-1/operations`, { method: "POST", headers, body });
    expect(answer.status).toBe(400);
    // What is no id of a run is nobody's.
    const strange = { ...headers, "odorobo-run": "a b\u00e4" };
    const ok = JSON.stringify({ id: "y", kind: "boot", expect: null });
    expect(
      (await fetch(`${fleet.url("n1")}/v1/vms/web-1/operations`, { method: "POST", headers: strange, body: ok }))
        .status,
    ).toBe(200);
  } finally {
    await client.close();
  }
});
