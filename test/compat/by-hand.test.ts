/** What people do through the Rust agent's routes to VMs that plans made, and on other hypervisors: seen, and never a surprise. */
import { expect, test } from "vitest";
import type { VmReport } from "../../src/model/observed-state.ts";
import { aCompatWorld, type CompatWorld } from "../support/compat-world.ts";
import { aPut, aWireSpec } from "../support/wire-builders.ts";

/** As an apply of the fleet shop would. */
async function applied(world: CompatWorld, name: string, over: Parameters<typeof aWireSpec>[0] = {}): Promise<void> {
  const spec = aWireSpec({ disks: [], nics: [], ...over });
  const answer = await world.quietly("PUT", `/v1/vms/${name}`, { body: aPut({ id: `put-${name}`, spec }) });
  expect(answer.json).toMatchObject({ outcome: "done" });
}

test("VMs of a fleet are listed and operated by hand; their configuration is the fleet's", async () => {
  await using world = await aCompatWorld();
  const { ask } = world;
  await applied(world, "db-1", { hypervisor: "cloud-hypervisor" });
  expect((await ask("GET", "/vms")).json).toEqual(["db-1"]);
  expect((await ask("PUT", "/vms/db-1/boot")).text).toBe("null");
  expect((await ask("PUT", "/vms/db-1/pause")).text).toBe("null");
  expect((await ask("PUT", "/vms/db-1/config", { body: world.config })).status).toBe(409);
  expect((await ask("DELETE", "/vms/db-1/config")).status).toBe(409);
  expect((await ask("PUT", "/vms/db-1", { body: world.config })).status).toBe(409);
  const { fleet, phase } = (await world.quietly("GET", "/v1/vms/db-1")).json as VmReport;
  expect({ fleet, phase }).toEqual({ fleet: "shop", phase: "paused" });
  world.note("destroyed by hand: its disks are kept, as after any deletion, and its name stays the fleet's to take");
  expect((await ask("DELETE", "/vms/db-1")).text).toBe("null");
  expect((await world.quietly("GET", "/v1/report")).json).toMatchObject({ tombstones: [{ name: "db-1" }] });
  expect((await ask("PUT", "/vms/db-1", { body: world.config })).status).toBe(200);
  await expect(world.transcript()).toMatchFileSnapshot("fleet.txt");
});

test("what is protected is not destroyed", async () => {
  await using world = await aCompatWorld();
  await applied(world, "db-1", { protect: true });
  expect(await world.ask("DELETE", "/vms/db-1")).toMatchObject({ status: 409, json: { success: false } });
  expect((await world.quietly("GET", "/vms")).json).toEqual(["db-1"]);
  await expect(world.transcript()).toMatchFileSnapshot("protected.txt");
  const spec = aWireSpec({ disks: [], nics: [] });
  await world.quietly("PUT", "/v1/vms/db-1", { body: aPut({ id: "put-2", generation: 2, spec }) });
});

test("VMs of other hypervisors: what makes sense is done, the rest says why not", async () => {
  await using world = await aCompatWorld();
  const { ask } = world;
  await applied(world, "sham-1");
  expect((await ask("GET", "/vms")).json).toEqual(["sham-1"]);
  expect((await ask("PUT", "/vms/sham-1/boot")).status).toBe(200);
  expect((await ask("GET", "/vms/sham-1/ping")).status).toBe(200);
  expect((await ask("PUT", "/vms/sham-1/pause")).status).toBe(200);
  expect((await ask("GET", "/vms/sham-1")).status).toBe(422);
  expect((await ask("PUT", "/vms/sham-1/ch/vm.resume")).status).toBe(422);
  expect((await ask("PUT", "/vms/sham-1/shutdown")).status).toBe(200);
  await expect(world.transcript()).toMatchFileSnapshot("other-hypervisors.txt");
});

test("who is not let in is told in the shape of the address", async () => {
  await using world = await aCompatWorld();
  const foreign = await world.quietly("GET", "/vms", { headers: { host: "evil.example" } });
  expect(foreign).toMatchObject({ status: 403, json: { code: 403, success: false } });
  const ours = await world.quietly("GET", "/v1/report", { headers: { host: "evil.example" } });
  expect(ours).toMatchObject({ status: 403, json: { code: "FORBIDDEN" } });
});
