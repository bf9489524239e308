/** What is found out about the Cloud Hypervisor of a host. */
import { chmod, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createCloudHypervisor } from "../../../src/agent/hypervisor/cloud-hypervisor/driver.ts";
import {
  parseFeatures,
  parseVersion,
  probeCloudHypervisor,
} from "../../../src/agent/hypervisor/cloud-hypervisor/probe.ts";
import { majorOf } from "../../../src/agent/hypervisor/cloud-hypervisor/version.ts";
import { createSpawnSupervisor } from "../../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { anAgent } from "../../support/an-agent.ts";
import { cloudHypervisorForTests } from "../../support/cloud-hypervisor.ts";
import { aCloudHypervisorSpec, aCloudHypervisorWorld } from "../../support/cloud-hypervisor-world.ts";
import { patience, TINY_GUEST } from "../../support/qemu-world.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const settings = (executable: string) => ({
  executable,
  seccomp: "true" as const,
  landlock: false,
  tinyGuest: TINY_GUEST,
  clock: systemClock,
});

const aProgram = async (folder: string, text: string) => {
  const path = join(folder, "cloud-hypervisor");
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
};

test.each(["50.0", "51.0", "52.0", "53.0", "54.0"])(
  "v%s is told from its own words, with what it was built with",
  async (version) => {
    await using binary = await cloudHypervisorForTests({ version, knobs: { features: ["kvm", "guest_debug"] } });
    expect(await probeCloudHypervisor(settings(binary.executable), patience())).toMatchObject({
      version: expect.stringMatching(new RegExp(`^${version}`)),
      features: ["kvm", "guest_debug"],
    });
  },
);

test("it is reported with what it can do", async () => {
  await using world = await aCloudHypervisorWorld();
  expect(world.report).toMatchObject({
    kind: "cloud-hypervisor",
    capabilities: { pause: true, migrate: true, nicKinds: ["bridge"], diskKinds: ["image", "blank", "file"] },
  });
});

test("a program that is not there, or is another, is not here", async () => {
  await using temp = await aTempFolder();
  expect(await probeCloudHypervisor(settings(join(temp.path, "nothing")), patience())).toBeNull();
  const other = await aProgram(temp.path, "echo QEMU emulator version 9.0.0");
  expect(await probeCloudHypervisor(settings(other), patience())).toBeNull();
  const broken = await aProgram(temp.path, "exit 127");
  expect(await probeCloudHypervisor(settings(broken), patience())).toBeNull();
});

test.each(["v49.0.0", "v9.1"])("%s is refused by name: it lacks what every boot relies on", async (version) => {
  await using temp = await aTempFolder();
  const program = await aProgram(temp.path, `echo cloud-hypervisor ${version}`);
  await expect(probeCloudHypervisor(settings(program), patience())).rejects.toMatchObject({
    code: "HYPERVISOR_UNAVAILABLE",
    message: expect.stringContaining(version.slice(1)),
    hint: expect.stringContaining("install 50 or later"),
  });
});

test("who asks for a guest on a version that is too old is told that, and can boot it once a known one is here", async () => {
  await using temp = await aTempFolder();
  await using binary = await cloudHypervisorForTests({ double: true });
  const program = await aProgram(temp.path, "echo cloud-hypervisor v49.0.0");
  const supervisor = createSpawnSupervisor();
  await using agent = await anAgent({ hypervisors: [createCloudHypervisor(settings(program))], supervisor });
  await expect(agent.put("web-1", { spec: aCloudHypervisorSpec() })).rejects.toMatchObject({
    code: "HYPERVISOR_UNAVAILABLE",
    message: "Cloud Hypervisor 49.0.0 is none that odorobo can work with",
    hint: expect.stringContaining("install 50 or later"),
  });
  await aProgram(temp.path, `exec '${binary.executable}' "$@"`);
  expect(await agent.put("web-1", { spec: aCloudHypervisorSpec() })).toMatchObject({ error: null });
  await rm(program);
  await agent.restart();
  expect(await agent.boot("web-1")).toMatchObject({ error: { message: "this node has no cloud-hypervisor" } });
});

test("guests run on, and can be taken over, while their program is being replaced", async () => {
  await using world = await aCloudHypervisorWorld();
  const guest = await world.boot("web-1");
  await guest.leave();
  const without = createCloudHypervisor(settings(join(world.folder, "nothing")));
  expect(await without.probe(patience())).toBeNull();
  expect(() => without.compile(guest.input)).toThrow(expect.objectContaining({ code: "HYPERVISOR_UNAVAILABLE" }));
  const running = await without.connect(guest.input, { fresh: false, signal: patience() });
  expect(await running.status(patience())).toEqual({ phase: "running" });
  await running[Symbol.asyncDispose]();
});

test("versions are read however they are written", () => {
  expect(parseVersion("cloud-hypervisor v53.0.0\nMigration Protocol Versions: 0\n")).toBe("53.0.0");
  expect(parseVersion("cloud-hypervisor v54.0-12-gabcdef\n")).toBe("54.0-12-gabcdef");
  expect(parseVersion("cloud-hypervisor 52.1.3")).toBe("52.1.3");
  expect(parseVersion("")).toBeNull();
  expect(parseFeatures('Enabled features: ["io_uring", "kvm"]\n')).toEqual(["io_uring", "kvm"]);
  expect(parseFeatures("Enabled features: []")).toEqual([]);
  expect(parseFeatures("nothing")).toEqual([]);
  expect(["v53.0.0", "54.0-12-gabcdef", "x", "53"].map(majorOf)).toEqual([53, 54, null, null]);
});

test("a version that nobody has tried yet is used, and whoever boots a guest on it is warned", async () => {
  await using binary = await cloudHypervisorForTests({ version: "55.0" });
  const supervisor = createSpawnSupervisor();
  await using agent = await anAgent({ hypervisors: [createCloudHypervisor(settings(binary.executable))], supervisor });
  expect((await agent.lifecycle.report(patience())).hypervisors).toMatchObject([{ version: "55.0.0", untried: true }]);
  expect(await agent.put("web-1", { spec: aCloudHypervisorSpec() })).toMatchObject({ error: null });
  expect(await agent.boot("web-1")).toMatchObject({
    error: null,
    detail: { warnings: [expect.stringContaining("cloud-hypervisor 55.0.0 is newer than any")] },
  });
  expect((await agent.vm("web-1")).drift).toEqual([]);
  expect(await agent.shutdown("web-1")).toMatchObject({ error: null });
});

test("a guest that runs is paused and let run on whatever program is on the disk by then", async () => {
  await using temp = await aTempFolder();
  await using binary = await cloudHypervisorForTests({ double: true });
  const program = await aProgram(temp.path, `exec '${binary.executable}' "$@"`);
  const supervisor = createSpawnSupervisor();
  await using agent = await anAgent({ hypervisors: [createCloudHypervisor(settings(program))], supervisor });
  await agent.put("web-1", { spec: aCloudHypervisorSpec() });
  await agent.boot("web-1");
  await aProgram(temp.path, "echo cloud-hypervisor v49.0.0");
  await agent.restart();
  for (const kind of ["pause", "resume"] as const)
    expect(await agent.operate("web-1", { kind })).toMatchObject({ outcome: "done", error: null });
  expect(await agent.shutdown("web-1")).toMatchObject({ error: null });
});

test("Landlock that was asked for on a kernel without it is told before any guest is started", async () => {
  await using temp = await aTempFolder();
  await using binary = await cloudHypervisorForTests({ double: true });
  const lsmFile = join(temp.path, "lsm");
  const probe = (landlock: boolean) =>
    probeCloudHypervisor({ ...settings(binary.executable), landlock, lsmFile }, patience());
  await writeFile(lsmFile, "lockdown,capability,yama,apparmor\n");
  await expect(probe(true)).rejects.toMatchObject({
    code: "HYPERVISOR_UNAVAILABLE",
    hint: expect.stringContaining("lsm=landlock,lockdown,capability,yama,apparmor"),
  });
  expect(await probe(false)).not.toBeNull();
  await writeFile(lsmFile, "lockdown,capability,landlock,yama\n");
  expect(await probe(true)).not.toBeNull();
  // Nobody mounted securityfs: the kernel may have it.
  await rm(lsmFile);
  expect(await probe(true)).not.toBeNull();
});
