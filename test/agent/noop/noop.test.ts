import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LaunchInput } from "../../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import { readSettings } from "../../../src/agent/hypervisor/noop/settings.ts";
import { updateLive } from "../../../src/agent/hypervisor/noop/update-live.ts";
import { toLiveConfig } from "../../../src/model/fields.ts";
import type { VmSpec } from "../../../src/model/vm-spec.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { aSpec, NEVER } from "../../support/an-agent.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const noop = createNoopHypervisor({ clock: systemClock });
const noted = (settings: Record<string, string>): VmSpec =>
  aSpec({
    annotations: Object.fromEntries(Object.entries(settings).map(([key, value]) => [`noop.odorobo.dev/${key}`, value])),
  });

async function aGuest(spec: VmSpec) {
  const folder = await aTempFolder();
  const paths = {
    runFolder: join(folder.path, "run"),
    diskFolder: join(folder.path, "disks"),
    logFolder: join(folder.path, "logs"),
  };
  for (const path of Object.values(paths)) await mkdir(path);
  const input: LaunchInput = { name: "web-1", spec, paths, files: new Map() };
  const file = join(paths.runFolder, "guest.json");
  return { input, file, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

test("it is always here, can do everything but migrate, and needs no process", async () => {
  const report = await noop.probe(NEVER);
  expect(report).toMatchObject({ kind: "noop", capabilities: { pause: true, migrate: true, cloudInit: true } });
  expect(Object.values(report?.capabilities.live ?? {})).not.toContain(false);
  await using guest = await aGuest(aSpec());
  expect(noop.compile(guest.input)).toBeNull();
});

test("a guest is a file: it outlives its connection, and removing the file kills it", async () => {
  await using guest = await aGuest(aSpec());
  {
    await using running = await noop.connect(guest.input, { fresh: true, signal: NEVER });
    expect(await running.status(NEVER)).toEqual({ phase: "running" });
    expect(await running.liveConfig(NEVER)).toEqual(toLiveConfig(guest.input.spec));
    await running.pause(NEVER);
  }
  await using again = await noop.connect(guest.input, { fresh: false, signal: NEVER });
  expect(await again.status(NEVER)).toEqual({ phase: "paused" });
  let hints = 0;
  again.onChange(() => hints++);
  await rm(guest.file);
  await until("somebody is told", () => hints > 0);
  expect(await again.status(NEVER)).toMatchObject({ phase: "off", endedBy: "failure" });
  await expect(again.liveConfig(NEVER)).rejects.toMatchObject({ code: "HYPERVISOR_UNAVAILABLE" });
});

test("its console counts a little, and shows its readiness", async () => {
  await using guest = await aGuest({
    ...noted({ "boot-delay": "soon" }),
    ready: { kind: "serial", pattern: "login:", timeoutSeconds: 1 },
  });
  await using running = await noop.connect(guest.input, { fresh: true, signal: NEVER });
  await running.powerButton(NEVER);
  expect(await running.status(NEVER)).toMatchObject({ phase: "off", endedBy: "guest" });
  expect((await readFile(running.consoleLog as string, "utf8")).split("\n")).toEqual([
    "NOOP-START web-1",
    'ignored: noop.odorobo.dev/boot-delay: "soon" is not a duration such as 2s',
    "1",
    "2",
    "3",
    "login:",
    "NOOP-STOP web-1",
    "",
  ]);
});

test.each([
  ["crash-after", { phase: "off", endedBy: "failure" }],
  ["poweroff-after", { phase: "off", endedBy: "guest" }],
])("%s comes true, also for the next agent", async (what, status) => {
  await using guest = await aGuest(noted({ [what]: "30ms" }));
  await (await noop.connect(guest.input, { fresh: true, signal: NEVER }))[Symbol.asyncDispose]();
  await using again = await noop.connect(guest.input, { fresh: false, signal: NEVER });
  await until("it is off", async () => (await again.status(NEVER)).phase === "off");
  expect(await again.status(NEVER)).toMatchObject(status);
});

test("what it is told to fail at fails", async () => {
  await using guest = await aGuest(noted({ fail: "create, pause,boot" }));
  expect(() => noop.compile(guest.input)).toThrow(expect.objectContaining({ code: "HYPERVISOR_FAILED" }));
  await expect(noop.connect(guest.input, { fresh: true, signal: NEVER })).rejects.toMatchObject({
    code: "HYPERVISOR_FAILED",
  });
  expect(readSettings(noted({ fail: "everything" })).complaints[0]).toContain('"everything" is none of');
});

test("a boot that takes long can be called off", async () => {
  await using guest = await aGuest(noted({ "boot-delay": "1h" }));
  const caller = new AbortController();
  const booting = noop.connect(guest.input, { fresh: true, signal: caller.signal });
  caller.abort();
  await expect(booting).rejects.toThrow();
});

test("a file that nobody understands is said so", async () => {
  await using guest = await aGuest(aSpec());
  await using running = await noop.connect(guest.input, { fresh: true, signal: NEVER });
  await writeFile(guest.file, '{"phase": "dancing"}');
  await expect(running.status(NEVER)).rejects.toMatchObject({ code: "HYPERVISOR_FAILED" });
});

test("live changes stay within the room that the guest was booted with", () => {
  const booted = aSpec();
  const live = toLiveConfig(booted);
  const [root] = booted.disks;
  const grown = root && { ...root, origin: { ...root.origin, sizeMiB: 128 } };
  const spec = aSpec({
    cpus: { count: 9, max: 16 },
    memory: { sizeMiB: 64, maxMiB: 4096 },
    boot: { kind: "firmware", firmware: "other" },
    disks: [grown as never, { name: "data", origin: { kind: "blank", sizeMiB: 1 }, readonly: false }],
  });
  expect(updateLive(live, spec)).toEqual({
    ...live,
    cpus: { count: 4, max: 4 },
    memory: { sizeMiB: 64, maxMiB: 512 },
    disks: spec.disks,
  });
  const readonly = aSpec({ disks: [{ ...(root as NonNullable<typeof root>), readonly: true }] });
  expect(updateLive(live, readonly).disks).toEqual(live.disks);
});
