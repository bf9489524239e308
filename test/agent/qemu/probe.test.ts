/** What an agent finds out about the QEMU of its host. Stand-ins for QEMU are small scripts that speak as it does. */
import { chmod, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { chooseAccelerator } from "../../../src/agent/hypervisor/qemu/accelerator.ts";
import { createQemuHypervisor } from "../../../src/agent/hypervisor/qemu/driver.ts";
import { parseVersion, type QemuSettings } from "../../../src/agent/hypervisor/qemu/probe.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { aSpec } from "../../support/a-fleet.ts";
import { patience, TINY_GUEST } from "../../support/qemu-world.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const settings = (over: Partial<QemuSettings> = {}): QemuSettings => ({
  executable: "qemu-system-x86_64",
  accelerator: "tcg",
  tinyGuest: TINY_GUEST,
  cacheFile: null,
  clock: systemClock,
  ...over,
});

async function aScript(folder: string, name: string, body: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

test.each([
  ["QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright", "7.2.22"],
  ["QEMU emulator version 11.0 (x)", "11.0"],
  ["something else", null],
])("%j has the version %s", (text, version) => {
  expect(parseVersion(text)).toBe(version);
});

test("a host without QEMU has none, and says what to install when a guest is asked of it", async () => {
  const hypervisor = createQemuHypervisor(settings({ executable: "/nowhere/qemu-system-x86_64" }));
  expect(await hypervisor.probe(patience())).toBeNull();
  const paths = { runFolder: "/r", diskFolder: "/d", logFolder: "/l" };
  expect(() => hypervisor.compile({ name: "web-1", spec: aSpec(), paths, files: new Map() })).toThrow(
    "there is no usable /nowhere/qemu-system-x86_64 on this node",
  );
});

test("a QEMU that is too old, or that is none, counts as not there", async () => {
  await using folder = await aTempFolder();
  for (const said of ["QEMU emulator version 5.2.0", "hello"]) {
    const executable = await aScript(folder.path, "qemu", `echo "${said}"`);
    expect(await createQemuHypervisor(settings({ executable })).probe(patience())).toBeNull();
  }
});

test("without seccomp the guests run without it", async () => {
  await using folder = await aTempFolder();
  const executable = await aScript(
    folder.path,
    "qemu",
    'case "$*" in *sandbox*) echo "sandbox support is not enabled" >&2; exit 1;; *) echo "QEMU emulator version 8.0.0";; esac',
  );
  const hypervisor = createQemuHypervisor(settings({ executable }));
  expect((await hypervisor.probe(patience()))?.version).toBe("8.0.0");
  const paths = { runFolder: "/r", diskFolder: "/d", logFolder: "/l" };
  const command = hypervisor.compile({ name: "web-1", spec: aSpec(), paths, files: new Map() });
  expect(command?.args).not.toContain("-sandbox");
});

describe.runIf(requires("the probe of a real QEMU", "qemu-system-x86_64"))("a real QEMU", () => {
  test("is found with its version and what it can do", async () => {
    const report = await createQemuHypervisor(settings()).probe(patience());
    expect(report).toMatchObject({
      kind: "qemu",
      accelerator: "tcg",
      capabilities: { pause: true, moves: { live: true } },
    });
    expect(report?.version).toMatch(/^\d+\.\d+/);
  });
});

describe("whether KVM is taken", () => {
  /** How long each accelerator takes to boot, in seconds; "never" for one that does not. */
  const aQemu = (folder: string, kvm: string, tcg: string) => {
    const boot = (time: string) =>
      time === "never" ? "exec sleep 60" : `sleep ${time}; echo TINY-START; exec sleep 60`;
    return aScript(
      folder,
      "qemu",
      `echo x >> ${folder}/runs\ncase "$*" in *"-accel kvm"*) ${boot(kvm)};; *) ${boot(tcg)};; esac`,
    );
  };
  const choose = (executable: string, cacheFile: string | null = null, version = "7.2.0") =>
    chooseAccelerator({
      executable,
      version,
      tinyGuest: TINY_GUEST,
      cacheFile,
      clock: systemClock,
      signal: patience(),
      kvmDevice: executable,
    });

  test.each([
    ["boots at once", "0", "0", "kvm"],
    ["is slower than a second and TCG is not: an emulator behind a KVM door", "4", "0.1", "tcg"],
    ["is slow, but so is TCG: a busy host", "1.4", "1.2", "kvm"],
    ["does not boot at all", "never", "0.1", "tcg"],
  ])("when it %s", async (_what, kvm, tcg, expected) => {
    await using folder = await aTempFolder();
    expect(await choose(await aQemu(folder.path, kvm, tcg))).toBe(expected);
  });

  test("is tried once for a boot of the host and a version of QEMU", async () => {
    await using folder = await aTempFolder();
    const executable = await aQemu(folder.path, "0", "0");
    const cache = join(folder.path, "kvm.json");
    const runs = async () => (await readFile(join(folder.path, "runs"), "utf8")).split("\n").length - 1;
    expect(await choose(executable, cache)).toBe("kvm");
    expect(await choose(executable, cache)).toBe("kvm");
    expect(await runs()).toBe(1);
    expect(await choose(executable, cache, "7.2.1")).toBe("kvm");
    expect(await runs()).toBe(2);
    await writeFile(cache, "cut sho");
    expect(await choose(executable, cache)).toBe("kvm");
    expect((await stat(cache)).size).toBeGreaterThan(10);
  });

  test("without a KVM device nothing is tried", async () => {
    const question = { executable: "/nowhere", version: "7.2.0", tinyGuest: TINY_GUEST, cacheFile: null };
    const signal = patience();
    expect(await chooseAccelerator({ ...question, clock: systemClock, signal, kvmDevice: "/nowhere/kvm" })).toBe("tcg");
  });
});

test("whether the kernel serves taps is asked at each start, and not remembered", async () => {
  await using folder = await aTempFolder();
  const executable = await aScript(folder.path, "qemu", 'echo "QEMU emulator version 8.0.0"');
  const vhostNetDevice = join(folder.path, "vhost-net");
  const hypervisor = createQemuHypervisor(settings({ executable, vhostNetDevice }));
  await hypervisor.probe(patience());
  const nic = {
    name: "eth0",
    network: "front",
    attachment: { kind: "bridge", bridge: "br0" },
    mac: "52:54:00:00:00:01",
    address: null,
  } as const;
  const paths = { runFolder: "/r", diskFolder: "/d", logFolder: "/l" };
  const backend = () => {
    const args = hypervisor.compile({ name: "web-1", spec: aSpec({ nics: [nic] }), paths, files: new Map() })?.args;
    return args?.find((arg) => arg.startsWith("tap,"));
  };
  expect(backend()).toContain("vhost=off");
  await writeFile(vhostNetDevice, "");
  expect(backend()).toContain("vhost=on");
  await rm(vhostNetDevice);
  expect(backend()).toContain("vhost=off");
});
