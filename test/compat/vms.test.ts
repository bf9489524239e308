/**
 * Each route of the Rust agent of April 2026, as a client of its knows it, against a real agent. The golden transcripts beside
 * this file are what docs/compatibility.md promises; `vitest -u` writes them anew.
 */
import { expect, test } from "vitest";
import { aCompatWorld } from "../support/compat-world.ts";
import { until } from "../support/until.ts";

const PHASES = ["Created", "Running", "Paused"];

test("the agent itself: its version, its health, its addresses, its VMs", async () => {
  await using world = await aCompatWorld();
  const root = await world.quietly("GET", "/");
  expect(root.text).toMatch(/^\d+\.\d+\.\d+/);
  expect(root.headers["content-type"]).toMatch(/^text\/plain/);
  await world.ask("GET", "/health");
  const info = await world.ask("GET", "/info");
  expect(info.json).toMatchObject({ listening_addresses: [new URL(world.url).host] });
  expect((await world.ask("GET", "/vms")).json).toEqual([]);
  await expect(world.transcript()).toMatchFileSnapshot("agent.txt");
});

test("a VM from its configuration to its end", async () => {
  await using world = await aCompatWorld();
  const { ask } = world;
  const spawned = await ask("PUT", "/vms/web-1?boot=true", { body: world.config });
  expect(spawned.json).toMatchObject({ booted: true, created_config: true, info: { state: "Running" } });
  expect((await ask("GET", "/vms")).json).toEqual(["web-1"]);
  expect((await ask("GET", "/vms/web-1/ping")).json).toMatchObject({ version: "53.0.0" });
  const state = async () => ((await ask("GET", "/vms/web-1")).json as { state: string }).state;
  expect(PHASES).toContain(await state());
  expect((await ask("PUT", "/vms/web-1/pause")).text).toBe("null");
  expect(await state()).toBe("Paused");
  await ask("PUT", "/vms/web-1/resume");
  world.note("the plug is pulled; configuration and, for the client, the process stay");
  expect((await ask("PUT", "/vms/web-1/shutdown")).text).toBe("null");
  expect(await state()).toBe("Created");
  await ask("GET", "/vms/web-1/ping");
  expect((await ask("PUT", "/vms/web-1/boot")).text).toBe("null");
  expect(await state()).toBe("Running");
  world.note("what is so already is done");
  expect((await ask("PUT", "/vms/web-1/boot")).status).toBe(200);
  expect((await ask("PUT", "/vms/web-1/acpi_shutdown")).text).toBe("null");
  await until("the guest has powered off", async () => {
    const info = await world.quietly("GET", "/vms/web-1");
    return (info.json as { state: string }).state === "Created";
  });
  expect((await ask("DELETE", "/vms/web-1")).text).toBe("null");
  expect((await ask("GET", "/vms")).json).toEqual([]);
  expect(await ask("GET", "/vms/web-1")).toMatchObject({
    status: 404,
    json: { code: 404, success: false, message: "web-1" },
  });
  await expect(world.transcript()).toMatchFileSnapshot("life.txt");
});

test("a VM that is spawned first and gets its configuration later, and loses it again", async () => {
  await using world = await aCompatWorld();
  const { ask } = world;
  const spawned = await ask("PUT", "/vms/web-1?boot=true");
  expect(spawned.json).toEqual({ info: null, booted: false, created_config: false });
  expect((await ask("GET", "/vms")).json).toEqual(["web-1"]);
  expect((await ask("GET", "/vms/web-1/ping")).status).toBe(200);
  expect(await ask("GET", "/vms/web-1")).toMatchObject({
    status: 404,
    json: { message: "Cloud Hypervisor API returned status 404" },
  });
  expect((await ask("PUT", "/vms/web-1/boot")).status).toBe(409);
  expect((await ask("PUT", "/vms/web-1/config", { body: world.config })).text).toBe("null");
  expect((await ask("GET", "/vms/web-1")).json).toMatchObject({ state: "Created" });
  expect((await ask("PUT", "/vms/web-1/config", { body: world.config })).status).toBe(409);
  expect((await ask("PUT", "/vms/web-1/boot")).text).toBe("null");
  expect((await ask("DELETE", "/vms/web-1/config")).text).toBe("null");
  expect((await ask("GET", "/vms/web-1")).status).toBe(404);
  expect((await ask("PUT", "/vms/web-1/config?boot=true", { body: world.config })).text).toBe("null");
  expect((await ask("GET", "/vms/web-1")).json).toMatchObject({ state: "Running" });
  await expect(world.transcript()).toMatchFileSnapshot("spawn-then-config.txt");
});

test("mistakes are told in shapes that its clients read", async () => {
  await using world = await aCompatWorld();
  const { ask } = world;
  await ask("PUT", "/vms/web-1", { body: world.config });
  world.note("it is there already: 409 where the Rust agent said 500");
  expect((await ask("PUT", "/vms/web-1", { body: world.config })).status).toBe(409);
  world.note("ids that no VM can have");
  for (const id of ["..", ".hidden", "a%2Fb", "with%20space", "b%C3%BCro"]) {
    const path = id === ".." ? "/vms/%2e%2e%2fetc" : `/vms/${id}`;
    expect((await ask("PUT", path)).status).toBe(400);
  }
  world.note("bodies and queries that cannot be read: plain text");
  for (const [body, headers, status] of [
    ["{", { "content-type": "application/json" }, 400],
    ["{}", { "content-type": "text/plain" }, 415],
    ["[]", { "content-type": "application/json" }, 422],
  ] as const) {
    const answer = await ask("PUT", "/vms/web-2", { body, headers });
    expect(answer).toMatchObject({ status, headers: { "content-type": "text/plain; charset=utf-8" } });
  }
  expect((await ask("PUT", "/vms/web-2?boot=yes")).status).toBe(400);
  expect((await ask("PUT", "/vms/web-1/config")).status).toBe(415);
  world.note("configurations that could not run");
  expect(
    (await ask("PUT", "/vms/web-2", { body: { ...world.config, cpus: { boot_vcpus: 4, max_vcpus: 2 } } })).status,
  ).toBe(422);
  expect((await ask("PUT", "/vms/web-2", { body: { ...world.config, dsks: [] } })).status).toBe(422);
  for (const path of ["rbd://pool/root", "root.raw"])
    expect((await ask("PUT", "/vms/web-2", { body: { ...world.config, disks: [{ path }] } })).status).toBe(422);
  expect(
    (await world.quietly("PUT", "/vms/web-2", { body: { ...world.config, cpus: null, disks: [null] } })).status,
  ).toBe(422);
  expect((await world.quietly("GET", "/vms")).json).toEqual(["web-1"]);
  world.note("in a state that is not for it");
  expect((await ask("PUT", "/vms/web-1/pause")).status).toBe(409);
  expect((await ask("PUT", "/vms/web-1/acpi_shutdown")).status).toBe(409);
  world.note("not there, or not like this");
  for (const [method, path] of [
    ["GET", "/vms/web-9/ping"],
    ["PUT", "/vms/web-9/boot"],
    ["DELETE", "/vms/web-9"],
    ["GET", "/vms/web-9/ch/vm.info"],
  ] as const)
    expect(await ask(method, path)).toMatchObject({ status: 404, json: { message: "web-9" } });
  expect((await ask("POST", "/vms/web-1/boot")).status).toBe(405);
  expect((await ask("GET", "/vms/web-1/nonsense")).status).toBe(404);
  expect((await ask("GET", "/vms/web-1/console")).status).toBe(400);
  await expect(world.transcript()).toMatchFileSnapshot("mistakes.txt");
});

test("ids in upper case, as ULIDs are, are found as they are written", async () => {
  await using world = await aCompatWorld();
  const id = "01KPBBXKK0R0M09VN7G6R6R3JF";
  await world.ask("PUT", `/vms/${id}`, { body: world.config });
  expect((await world.ask("GET", "/vms")).json).toEqual([id]);
  expect((await world.ask("GET", `/vms/${id}`)).status).toBe(200);
  expect((await world.ask("PUT", `/vms/${id.toLowerCase()}`)).status).toBe(409);
  expect((await world.ask("DELETE", `/vms/${id}`)).status).toBe(200);
  await expect(world.transcript()).toMatchFileSnapshot("upper-case.txt");
});

test("a migration by hand: receive, then send to where it listens", async () => {
  await using source = await aCompatWorld();
  await using target = await aCompatWorld();
  await source.ask("PUT", "/vms/web-1", { body: source.config });
  await source.ask("PUT", "/vms/web-1/boot");
  await target.ask("PUT", "/vms/web-1");
  const received = await target.ask("PUT", "/vms/web-1/migrate/receive");
  expect(received.json).toEqual({ listening_address: expect.any(String) });
  const { listening_address } = received.json as { listening_address: string };
  expect(listening_address).toMatch(/^tcp:0\.0\.0\.0:\d+$/);
  const destination = listening_address.replace("0.0.0.0", "127.0.0.1");
  expect((await source.ask("PUT", "/vms/web-1/migrate/send", { body: { destination } })).json).toEqual({ info: null });
  await until("it runs there", async () => {
    const info = await target.quietly("GET", "/vms/web-1");
    return (info.json as { state?: string }).state === "Running";
  });
  await source.ask("GET", "/vms/web-1");
  await target.ask("GET", "/vms/web-1");
  // What has arrived is what boots from now on.
  await until("its configuration is learned", async () => {
    const vm = await target.quietly("GET", "/v1/vms/web-1");
    return (vm.json as { spec: { boot: { kernel: string } } }).spec.boot.kernel.endsWith("/vmlinux");
  });
  // Nothing of the stand-in is left that the guest could differ from, for an agent that comes later neither.
  const drift = async () =>
    ((await target.quietly("GET", "/v1/vms/web-1")).json as { phase: string; drift: unknown }).drift;
  const isAsItShould = async () => JSON.stringify(await drift()) === "[]";
  await until("nothing differs", isAsItShould, 20_000);
  await target.restart();
  await until("nothing differs", isAsItShould, 20_000);
  await expect(`${source.transcript()}=== the destination ===\n\n${target.transcript()}`).toMatchFileSnapshot(
    "migration.txt",
  );
});

test("what is null in a configuration was left out, and URLs of files are paths", async () => {
  await using world = await aCompatWorld();
  const disks = [{ path: "file:///srv/root.raw", id: null }];
  const made = await world.quietly("PUT", "/vms/web-1", { body: { ...world.config, cpus: null, net: null, disks } });
  expect(made.json).toMatchObject({
    info: { config: { cpus: { boot_vcpus: 1 }, disks: [{ path: "/srv/root.raw" }] } },
  });
});
