/** A guest goes from one Cloud Hypervisor to another, or does not. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  formatMigrationUrl,
  isListening,
  parseMigrationUrl,
  withFreePort,
} from "../../../src/agent/hypervisor/cloud-hypervisor/listening.ts";
import type { IncomingGuest, RunningVm } from "../../../src/agent/hypervisor/hypervisor.ts";
import { toLiveConfig } from "../../../src/model/fields.ts";
import type { VmSpec } from "../../../src/model/vm-spec.ts";
import {
  aCloudHypervisorWorld,
  type CloudHypervisorWorld,
  type TestGuest,
  type WorldSettings,
} from "../../support/cloud-hypervisor-world.ts";
import { patience } from "../../support/qemu-world.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

/** Without a serial line: both processes live on one host here, and its socket has one path. */
const WITHOUT_LINE: Partial<VmSpec> = { passthrough: { serial: { mode: "Null", socket: null } } };

interface Journey {
  readonly world: CloudHypervisorWorld;
  readonly guest: TestGuest;
  readonly incoming: IncomingGuest;
  readonly destination: { readonly pid: number; isRunning(): boolean };
  /** Ends the receiving process: the only way to call it off. */
  kill(): Promise<void>;
}

async function aJourney(settings: WorldSettings, url: (folder: string) => string, over: Partial<VmSpec> = {}) {
  await using opened = new AsyncDisposableStack();
  const world = opened.use(await aCloudHypervisorWorld(settings));
  const guest = await world.boot("web-1", { ...WITHOUT_LINE, ...over });
  const input = { ...(await world.input("web-2", { ...WITHOUT_LINE, ...over })), name: "web-1" };
  const process_ = await world.start(input);
  const receive = world.hypervisor.receive;
  if (receive === undefined) throw new Error("it can receive");
  const incoming = await receive(input, { url: url(world.folder), signal: patience() });
  const journey: Journey = {
    world,
    guest,
    incoming,
    destination: { pid: process_.pid, isRunning: () => world.supervisor.isRunning(process_) },
    kill: () => world.supervisor.stop(process_, 0),
  };
  let arrived: RunningVm | null = null;
  void incoming.arrived.then(
    (running) => {
      arrived = running;
    },
    () => {},
  );
  opened.defer(() => arrived?.[Symbol.asyncDispose]());
  const life = opened.move();
  return { ...journey, [Symbol.asyncDispose]: () => life.disposeAsync() };
}

const overTcp = () => "tcp:127.0.0.1:0";
const overUnix = (folder: string) => `unix:${join(folder, "migration.sock")}`;
const phaseOf = async (running: RunningVm) => (await running.status(patience())).phase;

describe.each(["50.0", "51.0", "52.0", "53.0", "54.0"])("from v%s to the same", (version) => {
  test.each([
    ["tcp", overTcp],
    ["unix", overUnix],
  ] as const)("a guest moves over %s, and runs on there", async (_name, url) => {
    await using journey = await aJourney({ version }, url);
    const { guest, incoming, world } = journey;
    await guest.running.abilities.migrate?.({ url: incoming.url, local: false }, patience());
    const there = await incoming.arrived;
    expect(await phaseOf(there)).toBe("running");
    expect(await there.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
    await world.supervisor.waitForExit(guest.process, patience());
    expect(guest.told).toEqual([]);
  });
});

test("a paused guest arrives paused", async () => {
  await using journey = await aJourney({ double: true }, overTcp);
  await journey.guest.running.pause(patience());
  await journey.guest.running.abilities.migrate?.({ url: journey.incoming.url, local: false }, patience());
  expect(await phaseOf(await journey.incoming.arrived)).toBe("paused");
});

test("a guest with shared memory hands it over on the same host", async () => {
  const shared = { passthrough: { ...WITHOUT_LINE.passthrough, memory: { shared: true } } };
  await using journey = await aJourney({ double: true }, overUnix, shared);
  await journey.guest.running.abilities.migrate?.({ url: journey.incoming.url, local: true }, patience());
  expect(await phaseOf(await journey.incoming.arrived)).toBe("running");
});

describe("who receives", () => {
  test("answers nobody meanwhile, and nobody waits for it", async () => {
    await using journey = await aJourney({ double: true }, overTcp);
    const { world } = journey;
    expect(journey.incoming.url).toMatch(/^tcp:127\.0\.0\.1:\d{5}$/);
    // An agent that comes meanwhile is told so, too, as often as it asks.
    const input = { ...(await world.input("web-2", WITHOUT_LINE)), name: "web-1" };
    for (const _time of ["first", "second"])
      await expect(world.hypervisor.connect(input, { fresh: false, signal: patience() })).rejects.toMatchObject({
        code: "HYPERVISOR_BUSY",
        message: expect.stringContaining("takes in a guest"),
      });
    // The guest can still come.
    await journey.guest.running.abilities.migrate?.({ url: journey.incoming.url, local: false }, patience());
    await journey.incoming.arrived;
    const later = await world.hypervisor.connect(input, { fresh: false, signal: patience() });
    expect(await phaseOf(later)).toBe("running");
    await later[Symbol.asyncDispose]();
  });

  test("is called off by its end", async () => {
    await using journey = await aJourney({ double: true }, overTcp);
    await journey.kill();
    await expect(journey.incoming.arrived).rejects.toMatchObject({ code: "HYPERVISOR_FAILED" });
    expect(await phaseOf(journey.guest.running)).toBe("running");
  });

  test("is let go of by its caller's signal, and goes on waiting", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const input = await world.input("web-1", WITHOUT_LINE);
    const started = await world.start(input);
    const caller = new AbortController();
    const incoming = await world.hypervisor.receive?.(input, { url: "tcp:127.0.0.1:0", signal: caller.signal });
    caller.abort();
    await expect(incoming?.arrived).rejects.toThrow();
    expect(world.supervisor.isRunning(started)).toBe(true);
    expect(await isListening(parseMigrationUrl(incoming?.url ?? ""))).toBe(true);
  });

  test("cannot listen where somebody else does", async () => {
    await using journey = await aJourney({ double: true }, overTcp);
    const { world } = journey;
    const input = { ...(await world.input("web-3", WITHOUT_LINE)), name: "web-1" };
    await world.start(input);
    await expect(
      world.hypervisor
        .receive?.(input, { url: journey.incoming.url, signal: patience() })
        .then((there) => there.arrived),
    ).rejects.toMatchObject({ code: "HYPERVISOR_FAILED" });
  });
});

describe("a guest that does not get there runs on here", () => {
  test("nobody listens", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const guest = await world.boot("web-1", WITHOUT_LINE);
    const nowhere = formatMigrationUrl(await withFreePort(parseMigrationUrl("tcp:127.0.0.1")));
    await expect(guest.running.abilities.migrate?.({ url: nowhere, local: false }, patience())).rejects.toMatchObject({
      code: "HYPERVISOR_FAILED",
    });
    expect(await phaseOf(guest.running)).toBe("running");
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
  });

  test.each([
    ["config", "53.0"],
    ["state", "53.0"],
    // Whoever receives answers as if it had come.
    ["state", "52.0"],
    ["config", "50.0"],
  ] as const)("the other side refuses at its %s (v%s)", async (failAt, version) => {
    await using journey = await aJourney({ version, knobs: { migration: { failAt } } }, overTcp);
    const { guest, incoming } = journey;
    await expect(
      guest.running.abilities.migrate?.({ url: incoming.url, local: false }, patience()),
    ).rejects.toMatchObject({ code: "HYPERVISOR_FAILED" });
    await expect(incoming.arrived).rejects.toMatchObject({ code: "HYPERVISOR_FAILED" });
    await until("it runs", async () => (await phaseOf(guest.running)) === "running");
  });

  test("and the event that says so is lost", async () => {
    await using journey = await aJourney(
      { knobs: { migration: { failAt: "config" }, loseEvents: ["vm/migration-failed"] } },
      overTcp,
    );
    const { guest, incoming } = journey;
    await expect(
      guest.running.abilities.migrate?.({ url: incoming.url, local: false }, patience()),
    ).rejects.toMatchObject({ code: "HYPERVISOR_FAILED" });
    expect(await phaseOf(guest.running)).toBe("running");
  });

  test("the receiving process is killed in the middle of it", async () => {
    await using journey = await aJourney({ knobs: { migration: { iterations: 200, iterationMs: 50 } } }, overTcp);
    const { guest, incoming } = journey;
    const sending = guest.running.abilities.migrate?.({ url: incoming.url, local: false }, patience());
    sending?.catch(() => {});
    await until("it sends", async () =>
      (await readFile(join(guest.input.paths.runFolder, "events.json"), "utf8")).includes("migration-memory-iteration"),
    );
    // While it sends, it is not to be ended: the guest would be lost.
    await expect(guest.running.quit(patience())).rejects.toMatchObject({ code: "WRONG_PHASE" });
    await journey.kill();
    await expect(sending).rejects.toMatchObject({ code: "HYPERVISOR_FAILED" });
    await until("it runs", async () => (await phaseOf(guest.running)) === "running");
  });

  test("nobody can say where the guest of a process is that is killed while it sends", async () => {
    await using journey = await aJourney({ knobs: { migration: { iterations: 200, iterationMs: 50 } } }, overTcp);
    const { guest, incoming } = journey;
    const sending = guest.running.abilities.migrate?.({ url: incoming.url, local: false }, patience());
    sending?.catch(() => {});
    await until("it sends", async () =>
      (await readFile(join(guest.input.paths.runFolder, "events.json"), "utf8")).includes("migration-started"),
    );
    process.kill(guest.process.pid, "SIGKILL");
    await expect(sending).rejects.toMatchObject({
      code: "HYPERVISOR_UNAVAILABLE",
      message: expect.stringMatching(/process ended/),
    });
    await expect(incoming.arrived).rejects.toMatchObject({ code: "HYPERVISOR_FAILED" });
  });
});

describe("addresses", () => {
  test.each([
    ["tcp:10.0.0.2:49152", { kind: "tcp", host: "10.0.0.2", port: 49_152 }],
    ["tcp:node-2:1", { kind: "tcp", host: "node-2", port: 1 }],
    ["tcp:[fe80::1%eth0]:1234", { kind: "tcp", host: "[fe80::1%eth0]", port: 1234 }],
    ["tcp:0.0.0.0", { kind: "tcp", host: "0.0.0.0", port: 0 }],
    ["unix:/run/m.sock", { kind: "unix", path: "/run/m.sock" }],
  ] as const)("%s", (text, url) => {
    expect(parseMigrationUrl(text)).toEqual(url);
    if (url.kind === "unix" || url.port !== 0) expect(formatMigrationUrl(url)).toBe(text);
  });

  test.each([
    "",
    "tcp:",
    "tcp::1",
    "tcp:host:99999",
    "tcp:fe80::1:2",
    "unix:",
    "unix:relative",
    "http://x",
    "tcp:a/b:1",
  ])("%j is none", (text) => {
    expect(() => parseMigrationUrl(text)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  });

  test("a port is chosen where none was given, and only an address of this host can have one", async () => {
    const chosen = await withFreePort(parseMigrationUrl("tcp:127.0.0.1"));
    expect(chosen).toMatchObject({ kind: "tcp", port: expect.any(Number) });
    expect(await isListening(chosen)).toBe(false);
    await expect(withFreePort(parseMigrationUrl("tcp:192.0.2.1"))).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("nobody listens on a file that is no socket, or none at all", async () => {
    await using temp = await aTempFolder();
    const path = join(temp.path, "no-socket");
    expect(await isListening({ kind: "unix", path })).toBe(false);
    await writeFile(path, "");
    expect(await isListening({ kind: "unix", path })).toBe(false);
  });
});
