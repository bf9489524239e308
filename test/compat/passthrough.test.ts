import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hypervisorCall } from "../../src/agent/http/compat/hypervisor-calls.ts";
import { ENDPOINTS } from "../../src/agent/hypervisor/cloud-hypervisor/endpoints.ts";
import type { RawRequest } from "../../src/agent/lifecycle/lifecycle.ts";
import type { VmReport } from "../../src/model/observed-state.ts";
import { includesRole, ROLES, type Role } from "../../src/model/role.ts";
import type { Caller } from "../../src/platform/http/door/caller.ts";
import { aCompatWorld } from "../support/compat-world.ts";
import { FakeLifecycle } from "../support/fake-lifecycle.ts";
import { handlerAgent } from "../support/http-agent.ts";
import { until } from "../support/until.ts";
import { aVmReport, aWireSpec } from "../support/wire-builders.ts";

test("the hypervisor's own API, by hand, and what it changes is seen as drift", async () => {
  await using world = await aCompatWorld();
  const { ask } = world;
  await world.quietly("PUT", "/vms/web-1?boot=true", { body: world.config });
  world.note("with and without /api/v1");
  expect((await ask("GET", "/vms/web-1/ch/vmm.ping")).json).toMatchObject({ version: "53.0.0" });
  expect((await ask("GET", "/vms/web-1/ch/api/v1/vm.info")).json).toMatchObject({ state: "Running" });
  world.note("it says itself what is wrong");
  expect((await ask("GET", "/vms/web-1/ch/vm.nonsense")).status).toBe(404);
  expect((await ask("PUT", "/vms/web-1/ch/vm.pause", { body: {} })).status).toBe(400);
  world.note("a second CPU, which the spec does not have");
  expect(await ask("PUT", "/vms/web-1/ch/vm.resize", { body: { desired_vcpus: 2 } })).toMatchObject({
    status: 204,
    text: "",
  });
  const report = async () => (await world.quietly("GET", "/v1/vms/web-1")).json as VmReport;
  await until("it is drift", async () => (await report()).drift.some((each) => each.path === "cpus.count"));
  expect((await ask("PUT", "/vms/web-1/ch/vm.pause")).status).toBe(204);
  expect((await report()).phase).toBe("paused");
  expect((await ask("PUT", "/vms/web-1/ch/vm.resume")).status).toBe(204);
  world.note("the end of the process: the agent sees it, and answers for it");
  expect((await ask("PUT", "/vms/web-1/ch/vmm.shutdown")).status).toBeLessThan(300);
  await until("it is off", async () => (await report()).pid === null);
  expect((await ask("GET", "/vms/web-1/ch/vm.info")).json).toMatchObject({ state: "Created" });
  expect((await ask("GET", "/vms/web-1/ch/vmm.ping")).status).toBe(200);
  expect((await ask("PUT", "/vms/web-1/ch/vm.pause")).status).toBe(409);
  expect((await ask("GET", "/vms/web-1/ch/")).status).toBe(400);
  await expect(world.transcript()).toMatchFileSnapshot("passthrough.txt");
});

const running = (over: Partial<VmReport> = {}) =>
  aVmReport("web-1", { fleet: null, spec: aWireSpec({ hypervisor: "cloud-hypervisor" }), ...over });

/** An edge whose hypervisor answers everything with 204, and remembers what it was asked. */
async function anEdge(vm: VmReport = running(), allowedRoots: readonly string[] = []) {
  const asked: RawRequest[] = [];
  const lifecycle = new FakeLifecycle("n1", [vm]);
  lifecycle.raw = async (_, request) => {
    asked.push(request);
    return { status: 204, contentType: null, body: new Uint8Array(0) };
  };
  const agent = await handlerAgent({ lifecycle, allowedRoots });
  const ask = async (role: Role, method: string, path: string, body?: string) => {
    const caller: Caller = { name: "ci", role, by: "token" };
    const init = body === undefined ? {} : { body };
    const answer = await agent.fetchAs(caller, `/vms/web-1/ch/${path}`, { method, ...init });
    return { status: answer.status, text: await answer.text() };
  };
  return { asked, ask, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() };
}

test("each call is for those of its role and above, and who may not is told what would do it", async () => {
  await using edge = await anEdge();
  const calls = Object.entries(ENDPOINTS).map(([path, { method }]) => [method, path] as const);
  for (const [method, path] of [...calls, ["PUT", "vm.from-the-future"], ["POST", "vm.info"]] as const) {
    const { role: needed, instead } = hypervisorCall(method, path);
    for (const role of ROLES) {
      edge.asked.length = 0;
      const body = path === "vm.snapshot" ? '{"destination_url":"file:///tmp/x"}' : undefined;
      const { status, text } = await edge.ask(role, method, path, body);
      if (!includesRole(role, needed)) {
        expect([path, role, status]).toEqual([path, role, 403]);
        expect(text).toContain(`ci has the role ${role}`);
        expect(text).toContain(`needs ${needed}`);
        if (instead !== null) expect(text).toContain(`odorobo ${instead} web-1`);
        expect(edge.asked).toEqual([]);
      } else if (path !== "vm.snapshot") {
        expect([path, role, status, edge.asked.length]).toEqual([path, role, 204, 1]);
        expect(edge.asked[0]).toMatchObject({ method, path, mayMove: path === "vm.send-migration" });
      }
    }
  }
});

test("nothing that goes around the lifecycle is for less than an admin", () => {
  for (const path of [
    "vm.create",
    "vm.delete",
    "vm.boot",
    "vm.shutdown",
    "vmm.shutdown",
    "vm.receive-migration",
    "vm.send-migration",
    "vm.coredump",
    "vm.restore",
  ])
    expect(hypervisorCall("PUT", path).role).toBe("admin");
  // Names of an object's own are not calls.
  expect(hypervisorCall("GET", "constructor").role).toBe("admin");
});

test("below admin a snapshot goes below an allowed root or nowhere", async () => {
  await using world = await aCompatWorld();
  const root = join(world.folder, "snapshots");
  mkdirSync(root);
  await using edge = await anEdge(running(), [root]);
  const snapshot = (role: Role, url: string) =>
    edge.ask(role, "PUT", "vm.snapshot", JSON.stringify({ destination_url: url }));
  expect((await snapshot("apply", `file://${root}/one`)).status).toBe(204);
  expect((await snapshot("apply", `file://${root}/../etc`)).status).toBe(403);
  expect((await snapshot("apply", "file:///etc")).status).toBe(403);
  expect((await snapshot("apply", "/etc")).status).toBe(400);
  expect((await edge.ask("apply", "PUT", "vm.snapshot", "{")).status).toBe(400);
  expect((await snapshot("admin", "file:///srv/anywhere")).status).toBe(204);
});

test("query and body go through as they are", async () => {
  await using edge = await anEdge();
  await edge.ask("admin", "PUT", "api/v1/vm.resize?x=%20y&z", '{"desired_vcpus":2}');
  expect(edge.asked[0]).toMatchObject({ method: "PUT", path: "vm.resize?x=%20y&z" });
  expect(Buffer.from(edge.asked[0]?.body ?? []).toString()).toBe('{"desired_vcpus":2}');
});

test("VMs of other hypervisors say that they know no such call; those that wait for a guest are left in peace", async () => {
  await using qemu = await anEdge(running({ spec: aWireSpec({ hypervisor: "qemu" }) }));
  expect(await qemu.ask("admin", "GET", "vm.info")).toMatchObject({ status: 422 });
  const migration = { role: "destination", since: running().since, url: "tcp:0.0.0.0:49152" } as const;
  await using waiting = await anEdge(running({ phase: "starting", migration }));
  expect(await waiting.ask("admin", "PUT", "vm.pause")).toMatchObject({ status: 409 });
  expect([qemu.asked, waiting.asked]).toEqual([[], []]);
});
