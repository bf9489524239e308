/** Acts by hand beyond power: what is typed, what is asked of the agent, and what is told. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OdoroboError } from "../../src/model/errors.ts";
import { vmName } from "../../src/model/names.ts";
import type { VmReport } from "../../src/model/observed-state.ts";
import type { OperationRequest } from "../../src/wire/operations.ts";
import { aLiveFleet } from "../support/a-live-fleet.ts";
import { FakeLifecycle } from "../support/fake-lifecycle.ts";
import { socketAgent, type TestAgent } from "../support/http-agent.ts";
import { odorobo } from "../support/run-odorobo.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { aResult, aVmReport, aWireSpec } from "../support/wire-builders.ts";

let agent: TestAgent;
let opened: AsyncDisposableStack;

beforeEach(async () => {
  opened = new AsyncDisposableStack();
});
afterEach(() => opened.disposeAsync());

const CLOUD_HYPERVISOR = aWireSpec({ hypervisor: "cloud-hypervisor" });

async function anAgentWith(vm: Partial<VmReport> = {}): Promise<FakeLifecycle> {
  const lifecycle = new FakeLifecycle("n1", [aVmReport("web-1", vm)]);
  agent = opened.use(await socketAgent({ lifecycle }));
  return lifecycle;
}

const vm = (verb: string, ...args: string[]) => odorobo("vm", verb, ...args, "--agent", agent.url);

/** What the agent was asked to do, without the parts that every operation has. */
const asked = (lifecycle: FakeLifecycle) =>
  lifecycle.asked.map(({ request }) => {
    const { id: _id, expect: _expect, ...args } = request as OperationRequest;
    return args;
  });

describe("what is typed is what is asked", () => {
  test.each([
    ["power-button web-1", { kind: "power-button" }],
    ["nmi web-1", { kind: "nmi" }],
    ["coredump web-1 /srv/dumps/./web.core", { kind: "coredump", file: "/srv/dumps/web.core" }],
    ["snapshot web-1 /srv/s", { kind: "snapshot", folder: "/srv/s" }],
    ["restore web-1 /srv/s", { kind: "restore", folder: "/srv/s" }],
    ["resize web-1 --cpus 4 --memory 2GiB", { kind: "resize", cpus: 4, memoryMiB: 2048, balloonMiB: null, disk: null }],
    [
      "resize web-1 --disk data=20GiB --balloon 512MiB",
      { kind: "resize", cpus: null, memoryMiB: null, balloonMiB: 512, disk: { name: "data", sizeMiB: 20_480 } },
    ],
    [
      "attach web-1 --disk name=data,source=file:///srv/d.raw,readonly",
      {
        kind: "attach",
        device: {
          list: "disks",
          disk: { name: "data", origin: { kind: "external", url: "file:///srv/d.raw" }, readonly: true },
        },
      },
    ],
    [
      "attach web-1 --nic name=eth1,bridge=br0,mac=02:00:00:00:00:AB",
      {
        kind: "attach",
        device: {
          list: "nics",
          nic: {
            name: "eth1",
            network: "br0",
            attachment: { kind: "bridge", bridge: "br0" },
            mac: "02:00:00:00:00:ab",
            address: null,
          },
        },
      },
    ],
    ["detach web-1 --nic eth1", { kind: "detach", device: { list: "nics", name: "eth1" } }],
    ["migrate-receive web-1", { kind: "migrate-receive", url: null }],
    ["migrate-send web-1 tcp:10.0.0.2:49152", { kind: "migrate-send", url: "tcp:10.0.0.2:49152", local: false }],
  ])("vm %s", async (line, operation) => {
    const lifecycle = await anAgentWith();
    const [verb = "", ...args] = line.split(" ");
    expect(await vm(verb, ...args)).toMatchObject({ code: 0, stderr: "" });
    expect(asked(lifecycle)).toEqual([operation]);
  });
});

test("what makes no sense is refused before anybody is asked", async () => {
  const lifecycle = await anAgentWith();
  const refusals = [
    await vm("resize", "web-1"),
    await vm("snapshot", "web-1", "snapshots/today"),
    await vm("attach", "web-1", "--disk", "name=data"),
    await vm("attach", "web-1", "--disk", "name=data,size=1GiB,color=red"),
    await vm("attach", "web-1", "--nic", "name=eth1,bridge=br0,mac=nonsense"),
    await vm("attach", "web-1"),
    await vm("detach", "web-1", "--disk", "a", "--nic", "b"),
    await vm("ch", "web-1", "vm.resize", "{desired_vcpus: 2}"),
  ];
  for (const refusal of refusals) expect(refusal).toMatchObject({ code: 1, stderr: expect.stringContaining("USAGE") });
  expect(lifecycle.asked).toEqual([]);
  expect(lifecycle.rawAsked).toEqual([]);
});

test("a NIC without a MAC gets the one that a manifest would give it", async () => {
  const lifecycle = await anAgentWith();
  await vm("attach", "web-1", "--nic", "name=eth1,bridge=br0");
  await vm("attach", "web-1", "--nic", "name=eth1,bridge=br0");
  const [first, second] = asked(lifecycle) as { device: { nic: { mac: string } } }[];
  expect(first?.device.nic.mac).toMatch(/^02(:[0-9a-f]{2}){5}$/);
  expect(second).toEqual(first);
});

test("what was changed by hand is announced as drift, with what to do about it", async () => {
  await using fleet = await aLiveFleet("n1");
  await fleet.vm("web-1", ["cpus: { count: 1, max: 4 }"]);
  await odorobo("apply", fleet.folder, "--yes");
  const resize = await odorobo("vm", "resize", "web-1", "--cpus", "3", "--fleet", fleet.folder);
  expect(resize.stdout).toMatch(
    /^web-1 on n1: resized \(.*\)\nThe next plan shows this as drift; change the manifest of fleet test to keep it \(manifest → running\):\n {2}cpus.count: 1 → 3\n$/,
  );
  expect((await odorobo("plan", fleet.folder)).stdout).toContain("cpus.count");
});

test("where a guest is waited for: the address that the other side can reach", async () => {
  const lifecycle = await anAgentWith();
  const { operate } = lifecycle;
  lifecycle.operate = async (name, request, signal) => ({
    ...(await operate(name, request, signal)),
    detail: { url: "tcp:0.0.0.0:49160", warnings: ["hook 10-notify: exit code 1"] },
  });
  const received = await vm("migrate-receive", "web-1");
  expect(received.stdout).toBe(
    [
      "web-1 on n1: waits for its guest at tcp:0.0.0.0:49160",
      "To send it: odorobo vm migrate-send web-1 tcp:127.0.0.1:49160 --node THE-NODE-THAT-HAS-IT",
      "warning: hook 10-notify: exit code 1",
      "",
    ].join("\n"),
  );
});

describe("a VM of no fleet", () => {
  const CONFIG = {
    cpus: { boot_vcpus: 1, max_vcpus: 1 },
    payload: { kernel: "/boot/vmlinuz", cmdline: "console=ttyS0" },
  };

  async function aConfig(text = JSON.stringify(CONFIG)): Promise<string> {
    const folder = opened.use(await aTempFolder());
    const path = join(await mkdtemp(join(folder.path, "c")), "config.json");
    await writeFile(path, text);
    return path;
  }

  /** An agent that has what was put. */
  async function anEmptyAgent(): Promise<FakeLifecycle> {
    const lifecycle = new FakeLifecycle("n1", []);
    const { putVm } = lifecycle;
    lifecycle.putVm = async (name, request, signal) => {
      const after = aVmReport(name, { spec: request.spec, fleet: null, phase: "stopped", live: null, pid: null });
      lifecycle.reported = { ...lifecycle.reported, vms: [after] };
      return { ...(await putVm(name, request, signal)), after };
    };
    agent = opened.use(await socketAgent({ lifecycle }));
    return lifecycle;
  }

  test("is made from Cloud Hypervisor's own configuration", async () => {
    const lifecycle = await anEmptyAgent();
    expect(await vm("spawn", "try-1", await aConfig())).toMatchObject({
      code: 0,
      stdout: "try-1 on n1: made, and off\nIt is of no fleet: no apply touches it, and no other node starts it.\n",
    });
    expect(lifecycle.reported.vms[0]?.spec).toMatchObject({
      hypervisor: "cloud-hypervisor",
      runStrategy: "Manual",
      boot: { kind: "kernel", kernel: "/boot/vmlinuz", cmdline: "console=ttyS0" },
    });
    expect(await vm("spawn", "try-1")).toMatchObject({ code: 1, stderr: expect.stringContaining("WRONG_PHASE") });
  });

  test("may be spawned empty and get its configuration later", async () => {
    const lifecycle = await anEmptyAgent();
    expect(await vm("spawn", "try-1")).toMatchObject({ code: 0 });
    expect(await vm("create", "try-1", await aConfig(), "--json")).toMatchObject({ code: 0 });
    expect(lifecycle.reported.vms[0]?.spec.boot).toMatchObject({ kernel: "/boot/vmlinuz" });
  });

  test.each([
    ["kind: VirtualMachine\napiVersion: odorobo.dev/v1\n", "is a manifest"],
    ['{"apiVersion": "odorobo.dev/v1"}', "is a manifest"],
    ["[]", "is not a VmConfig"],
    ["{", "is not JSON"],
  ])("is not made from %j", async (text, message) => {
    const lifecycle = await anEmptyAgent();
    const path = await aConfig(text);
    expect(await vm("spawn", "try-1", path)).toMatchObject({ code: 1, stderr: expect.stringContaining(message) });
    expect(lifecycle.asked).toEqual([]);
  });

  test("that is made and does not start says both; of a name that is none nothing is made", async () => {
    const lifecycle = await anEmptyAgent();
    lifecycle.operate = async () => {
      throw new OdoroboError("HYPERVISOR_FAILED", "vm.boot was refused");
    };
    expect(await vm("spawn", "try-1", await aConfig(), "--boot")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("try-1 was made on n1 and does not start: vm.boot was refused"),
    });
    expect(lifecycle.reported.vms).toHaveLength(1);
    expect(await vm("spawn", "Try-2")).toMatchObject({ code: 1, stderr: expect.stringContaining("is not a VM name") });
    expect(lifecycle.reported.vms).toHaveLength(1);
  });

  test("with mistakes in its configuration is refused in the agent's words", async () => {
    const lifecycle = await anEmptyAgent();
    const path = await aConfig(JSON.stringify({ ...CONFIG, cpus: { boot_vcpus: 4, max_vcpus: 2 } }));
    expect(await vm("spawn", "try-1", path)).toMatchObject({ code: 1, stderr: expect.stringContaining("UNSUPPORTED") });
    expect(lifecycle.asked).toEqual([]);
  });

  test("must not have the name of one that stands in the manifests, and needs a node to be said", async () => {
    await using fleet = await aLiveFleet("n1", "n2");
    await fleet.vm("web-1");
    const at = ["--fleet", fleet.folder];
    expect(await odorobo("vm", "spawn", "web-1", ...at)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("stands in the manifests of fleet test"),
    });
    expect(await odorobo("vm", "spawn", "try-1", ...at)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("--node NAME"),
    });
  });
});

describe("the hypervisor's own API", () => {
  const answers = (lifecycle: FakeLifecycle, status: number, body: unknown) => {
    lifecycle.rawAnswer = {
      status,
      contentType: "application/json",
      body: Buffer.from(body === null ? "" : JSON.stringify(body)),
    };
  };

  test("is asked and printed as it answers", async () => {
    const lifecycle = await anAgentWith({ spec: CLOUD_HYPERVISOR });
    answers(lifecycle, 200, { state: "Running" });
    expect(await vm("ch", "web-1", "vm.info")).toEqual({ code: 0, stdout: '{\n  "state": "Running"\n}\n', stderr: "" });
    answers(lifecycle, 204, null);
    expect(await vm("ch", "web-1", "/api/v1/vm.resize", '{"desired_vcpus":2}')).toEqual({
      code: 0,
      stdout: "",
      stderr: "PUT vm.resize: done (204)\n",
    });
    const calls = lifecycle.rawAsked.map(({ request }) => [
      request.method,
      request.path,
      request.body === null ? null : Buffer.from(request.body).toString(),
    ]);
    expect(calls).toEqual([
      ["GET", "vm.info", null],
      ["PUT", "vm.resize", '{"desired_vcpus":2}'],
    ]);
  });

  test("its errors are errors, and the agent's refusals the agent's", async () => {
    const lifecycle = await anAgentWith({ spec: CLOUD_HYPERVISOR });
    answers(lifecycle, 500, ["Error from API", "The disk could not be added"]);
    expect(await vm("ch", "web-1", "vm.add-disk", "{}")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: "error  HYPERVISOR_FAILED  Cloud Hypervisor answered 500: Error from API: The disk could not be added\n",
    });
    await anAgentWith();
    expect(await vm("ch", "web-1", "vm.info")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("UNSUPPORTED  web-1 runs on noop"),
    });
  });

  test.each([
    ["FLEET_MISMATCH", 3],
    ["PROTECTED", 3],
    ["STALE_GENERATION", 5],
    ["HYPERVISOR_BUSY", 1],
  ] as const)("a refusal there keeps its name and its exit code: %s", async (code, exit) => {
    const lifecycle = await anAgentWith({ spec: CLOUD_HYPERVISOR });
    lifecycle.raw = async () => {
      throw new OdoroboError(code, "not now", { hint: "later" });
    };
    const refused = await vm("ch", "web-1", "vm.pause");
    expect(refused).toMatchObject({ code: exit, stderr: expect.stringContaining(`${code}  not now`) });
  });
});

test("ping: a guest that is off, one that is silent, one that answers", async () => {
  await anAgentWith();
  expect(await vm("ping", "web-1")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^web-1 on n1: running; noop \(pid 4711\) answers, in /),
  });
  await anAgentWith({ live: null, reason: "its hypervisor does not answer" });
  expect(await vm("ping", "web-1")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("HYPERVISOR_UNAVAILABLE"),
  });
  await anAgentWith({ live: null, phase: "stopped" });
  expect(await vm("ping", "web-1")).toMatchObject({ code: 1, stderr: expect.stringContaining("WRONG_PHASE") });
});

test("counters: a table, and what was never measured is no number", async () => {
  const lifecycle = await anAgentWith();
  lifecycle.counted.set("web-1", { root: { read_bytes: 4096, read_latency_min: 2 ** 64 } });
  const { stdout } = await vm("counters", "web-1");
  expect(stdout).toMatch(/^root +read_bytes +4096\nroot +read_latency_min +-$/m);
});

test("destroy asks first, and cuts off at once", async () => {
  const lifecycle = await anAgentWith();
  const { operate } = lifecycle;
  lifecycle.operate = async (name, request, signal) => {
    await operate(name, request, signal);
    return aResult(vmName(name), request.id, { kind: "delete", after: null });
  };
  expect(await vm("destroy", "web-1")).toMatchObject({ code: 3, stderr: expect.stringContaining("NOT_CONFIRMED") });
  expect(lifecycle.asked).toEqual([]);
  expect(await vm("destroy", "web-1", "--yes")).toMatchObject({ code: 0 });
  expect(asked(lifecycle)).toEqual([{ kind: "delete", graceSeconds: 0 }]);
});
