/**
 * A server as it is meant to be: a real systemd as PID 1 of a container, the agent installed as a service, guests of both
 * hypervisors as units of their own. Cloud Hypervisor is the double; QEMU is real.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NodeReport, VmReport } from "../../src/model/observed-state.ts";
import { BUILT_COMMAND } from "../support/built.ts";
import { requires } from "../support/requirements.ts";
import { odorobo } from "../support/run-odorobo.ts";
import { aSystem, NODE_INSIDE, requiresSystem, type System } from "../support/systemd.ts";
import { until } from "../support/until.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Guards against hanging only: the machine may be busy, and QEMU emulates. */
const PATIENCE = 120_000;

const isHere =
  requiresSystem("an agent installed as a service of systemd") &&
  requires("guests of an installed agent", "qemu-system-x86_64", "systemd-sysusers");

describe.runIf(isHere)("an installed agent", { timeout: PATIENCE }, () => {
  let system: System;
  let port: number;
  let fleet: string;
  beforeAll(async () => {
    system = await aSystem();
    port = await aFreePort();
    fleet = join(system.shared, "fleet");
    await mkdir(fleet);
    await writeFleet();
  }, PATIENCE);
  afterAll(() => system?.[Symbol.asyncDispose](), PATIENCE);

  const inside = (...args: string[]) => system.run(process.execPath, BUILT_COMMAND, ...args);
  const agent = () => `http://127.0.0.1:${port}`;
  const report = async (): Promise<NodeReport> => (await (await fetch(`${agent()}/v1/report`)).json()) as NodeReport;
  const vm = async (name: string): Promise<VmReport | undefined> =>
    (await report().catch(() => null))?.vms.find((each) => each.name === name);
  const runs = (name: string) => until(`${name} runs`, async () => (await vm(name))?.phase === "running", PATIENCE);
  const show = async (unit: string, property: string) =>
    (await system.run("systemctl", "show", "--value", "-p", property, "--", unit)).trim();
  const pidOf = async (unit: string) => Number(await show(unit, "MainPID"));
  const kill = async (signal: "KILL" | "SEGV", unit: string) => {
    const pid = await pidOf(unit);
    // 0 would be whoever asks, and all that it was started with.
    if (pid === 0) throw new Error(`${unit} does not run`);
    await system.run("kill", `-${signal}`, String(pid));
    return pid;
  };
  const flags = () => [
    ...["--name", "n1", "--listen", `127.0.0.1:${port}`, "--hypervisor", "cloud-hypervisor", "--hypervisor", "qemu"],
    ...["--cloud-hypervisor", DOUBLE, "--accelerator", "tcg", "--allow-path", KEPT],
  ];

  /** Where no sandbox hides it, as a package would put it. */
  const DOUBLE = "/usr/local/lib/double/cloud-hypervisor";
  /** Where people keep snapshots: no process of a guest may write there by itself. */
  const KEPT = "/srv/kept";
  async function prepareSystem(): Promise<void> {
    const install = join(ROOT, "test/support/cloud-hypervisor-double/install.ts");
    await system.run("mkdir", "-p", "/usr/local/lib/double");
    await system.run(
      process.execPath,
      ...[
        "--input-type=module",
        "-e",
        `(await import("${install}")).installDouble("/usr/local/lib/double", { node: "${NODE_INSIDE}", knobs: { features: ["kvm", "guest_debug"] } })`,
      ],
    );
    await system.run("mkdir", "-p", KEPT, `${KEPT}/of-others`);
  }

  const writeFleet = (cpuWeight = 200, disks = "[{ name: root, size: 8MiB }]") =>
    writeFile(
      join(fleet, "fleet.yaml"),
      [
        ...["apiVersion: odorobo.dev/v1", "kind: Fleet", "metadata: { name: test }"],
        ...["---", "apiVersion: odorobo.dev/v1", "kind: Node", "metadata: { name: n1 }"],
        `spec: { address: "${agent()}" }`,
        ...["---", "apiVersion: odorobo.dev/v1", "kind: VirtualMachine", "metadata: { name: web-1 }", "spec:"],
        ...["  hypervisor: cloud-hypervisor", "  memory: 128MiB", '  boot: { kernel: "builtin:tiny" }'],
        ...[`  disks: ${disks}`, `  weights: { cpu: ${cpuWeight} }`, "  shutdownGrace: 30s"],
        ...["---", "apiVersion: odorobo.dev/v1", "kind: VirtualMachine", "metadata: { name: q-1 }", "spec:"],
        ...["  hypervisor: qemu", "  memory: 64MiB", '  boot: { kernel: "builtin:tiny" }', "  shutdownGrace: 30s"],
        ...["  disks: [{ name: root, size: 8MiB }]", '  ready: { serial: "COUNTER", timeout: 120s }'],
      ].join("\n"),
    );
  const apply = async () => {
    const { code, stderr } = await odorobo("apply", fleet, "--yes");
    expect({ code, stderr }).toMatchObject({ code: 0 });
  };

  test("is installed, and applies a fleet of both hypervisors as units of an unprivileged user", async () => {
    await prepareSystem();
    await inside("agent", "install", ...flags());
    expect(await show("odorobo-agent.service", "ActiveState")).toBe("active");
    expect(await inside("agent", "install", ...flags())).toContain("was installed already");
    await apply();
    for (const [name, unit] of [
      ["web-1", "odorobo-ch@web-1.service"],
      ["q-1", "odorobo-qemu@q-1.service"],
    ] as const) {
      expect(await vm(name)).toMatchObject({ phase: "running", pid: await pidOf(unit), drift: [] });
      expect(await system.run("ps", "-o", "user:20=", "-p", String(await pidOf(unit)))).toBe("odorobo-vm\n");
      const status = await system.run("cat", `/proc/${await pidOf(unit)}/status`);
      expect(status).toMatch(/^CapEff:\t0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    }
    expect(await show("odorobo-ch@web-1.service", "CPUWeight")).toBe("200");
    const plan = await odorobo("plan", fleet, "--detailed-exitcode");
    expect(plan.code, plan.stdout).toBe(0);
  });

  test("reboots a guest again and again, and it runs each time", async () => {
    for (let time = 0; time < 5; time++) {
      const reboot = await odorobo("vm", "reboot", "web-1", "--fleet", fleet, "--grace", "0s");
      expect(reboot, reboot.stderr).toMatchObject({ code: 0 });
    }
    expect(await vm("web-1")).toMatchObject({ phase: "running", pid: await pidOf("odorobo-ch@web-1.service") });
    expect((await vm("web-1"))?.lastEvent).toBeUndefined();
  });

  test("gives a running guest another share of the node and a disk that it could not see before", async () => {
    const before = await pidOf("odorobo-ch@web-1.service");
    await writeFleet(300, "[{ name: root, size: 8MiB }, { name: more, size: 9MiB }]");
    await apply();
    expect(await show("odorobo-ch@web-1.service", "CPUWeight")).toBe("300");
    expect(await vm("web-1")).toMatchObject({ phase: "running", pid: before, drift: [] });
    expect((await vm("web-1"))?.live?.disks.map((disk) => disk.name)).toEqual(["root", "more"]);
  });

  test("has a guest's state written to where an operator says, and starts it from there", async () => {
    const unit = "odorobo-ch@web-1.service";
    const before = await pidOf(unit);
    const byHand = async (...args: string[]) => {
      const { code, stderr } = await odorobo("vm", ...args, "--agent", agent());
      expect({ code, stderr }, args.join(" ")).toMatchObject({ code: 0 });
    };
    await byHand("snapshot", "web-1", `${KEPT}/deep/today`);
    // By an agent that did not start the guest, too, and once more beside the first.
    await system.run("systemctl", "restart", "odorobo-agent.service");
    await until("the agent is back", async () => (await vm("web-1"))?.phase === "running", PATIENCE);
    await byHand("snapshot", "web-1", `${KEPT}/deep/tomorrow`);
    await byHand("coredump", "web-1", `${KEPT}/web-1.core`);
    for (const day of ["today", "tomorrow"])
      expect((await system.run("ls", `${KEPT}/deep/${day}`)).split("\n").filter(Boolean)).toEqual([
        "config.json",
        "memory-ranges",
        "state.json",
      ]);
    expect((await system.run("ls", KEPT)).split("\n").filter(Boolean)).toEqual(["deep", "of-others", "web-1.core"]);
    expect(await vm("web-1")).toMatchObject({ phase: "running", drift: [], pid: before });
    // Let at its snapshots, and at nothing beside them: neither by its view of the file system nor by its user.
    const writes = (path: string) =>
      system.run("nsenter", "-t", String(before), "-m", "--", "touch", path).then(
        () => true,
        () => false,
      );
    expect(await writes(`${KEPT}/deep/today/more`)).toBe(true);
    expect(await writes(`${KEPT}/of-others/more`)).toBe(false);
    await byHand("shutdown", "web-1", "--grace", "0s");
    await byHand("restore", "web-1", `${KEPT}/deep/tomorrow`);
    expect(await vm("web-1")).toMatchObject({ phase: "running", drift: [], pid: await pidOf(unit) });
    const elsewhere = await odorobo("vm", "snapshot", "web-1", "/etc/kept", "--agent", agent());
    expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringContaining("PATH_NOT_ALLOWED") });
  });

  test("is killed, and the next one knows every guest", async () => {
    const pids = [await pidOf("odorobo-ch@web-1.service"), await pidOf("odorobo-qemu@q-1.service")];
    const before = await kill("KILL", "odorobo-agent.service");
    await until(
      "systemd has started another",
      async () => ![0, before].includes(await pidOf("odorobo-agent.service")),
      PATIENCE,
    );
    for (const name of ["web-1", "q-1"]) await runs(name);
    expect([(await vm("web-1"))?.pid, (await vm("q-1"))?.pid]).toEqual(pids);
    expect((await report()).unfinished).toEqual([]);
  });

  test("sees a guest that is killed, says how, and starts it again", async () => {
    const before = await kill("SEGV", "odorobo-ch@web-1.service");
    await until("it is told", async () => (await vm("web-1"))?.lastEvent?.kind === "crash", PATIENCE);
    expect((await vm("web-1"))?.lastEvent?.message).toContain("SIGSEGV");
    await runs("web-1");
    expect((await vm("web-1"))?.pid).toBe(await pidOf("odorobo-ch@web-1.service"));
    expect((await vm("web-1"))?.pid).not.toBe(before);
  });

  test("learns how a guest ended while it was away", async () => {
    await system.run("systemctl", "stop", "odorobo-agent.service");
    await kill("KILL", "odorobo-qemu@q-1.service");
    await until(
      "it has failed",
      async () => (await show("odorobo-qemu@q-1.service", "ActiveState")) === "failed",
      PATIENCE,
    );
    await system.run("systemctl", "start", "odorobo-agent.service");
    await until("it is told", async () => (await vm("q-1"))?.lastEvent?.kind === "crash", PATIENCE);
    expect((await vm("q-1"))?.lastEvent?.message).toContain("SIGKILL");
    await runs("q-1");
  });

  test("holds a guest's process to what its VM needs", async () => {
    await system.run("mkdir", "-p", "/srv/confined/vms/web-2", "/srv/images");
    await system.run(
      "sh",
      "-c",
      "echo secret > /srv/confined/token; echo bytes > /srv/images/kernel; echo x > /srv/images/disk",
    );
    const needs = {
      devices: ["/dev/kvm"],
      reads: ["/srv/images/kernel"],
      writes: ["/srv/images/disk"],
      memoryMaxMiB: 64,
    };
    const said = await system.run(
      process.execPath,
      join(ROOT, "test/support/confined-script.ts"),
      "/srv/confined",
      JSON.stringify(needs),
      [
        "id -un; ls /srv/confined /srv/confined/vms; cat /srv/images/kernel",
        "echo x > own && echo own",
        "echo y > /srv/images/disk && echo disk",
        "echo x > /srv/images/new || echo no-new",
        "head -c 0 /dev/null && echo null",
        "(exec 3<>/dev/kvm) && echo kvm || echo no-kvm",
        "(exec 3<>/dev/net/tun) && echo tun || echo no-tun",
        "ls /proc/1/cwd 2>/dev/null || echo no-init",
      ].join("\n"),
    );
    const words = said.split("\n");
    expect(words).toEqual(expect.arrayContaining(["odorobo-vm", "vms", "web-1", "bytes", "own", "disk", "null"]));
    expect(words).toEqual(expect.arrayContaining(["no-new", "no-tun", "no-init"]));
    expect(words).not.toContain("token");
    expect(words).not.toContain("web-2");
    expect(await system.run("cat", "/srv/images/disk")).toBe("y\n");
    const hasKvm = (await system.run("sh", "-c", "test -e /dev/kvm && echo kvm || echo no-kvm")).trim();
    expect(words).toContain(hasKvm);
  });

  test("is uninstalled: guests go on, and one that is installed again finds them", async () => {
    const pids = [await pidOf("odorobo-ch@web-1.service"), await pidOf("odorobo-qemu@q-1.service")];
    await inside("agent", "uninstall");
    expect(await show("odorobo-agent.service", "LoadState")).toBe("not-found");
    expect([await pidOf("odorobo-ch@web-1.service"), await pidOf("odorobo-qemu@q-1.service")]).toEqual(pids);
    await inside("agent", "install", ...flags());
    for (const name of ["web-1", "q-1"]) await runs(name);
    expect([(await vm("web-1"))?.pid, (await vm("q-1"))?.pid]).toEqual(pids);
  });

  test("after a reboot of the host no guest starts by itself; the agent starts those that should run", async () => {
    await system.reboot();
    await prepareSystem();
    expect(await system.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "odorobo-*@*")).toBe("");
    await inside("agent", "install", ...flags());
    for (const name of ["web-1", "q-1"]) await runs(name);
    expect((await vm("web-1"))?.pid).toBe(await pidOf("odorobo-ch@web-1.service"));
    const off = await odorobo("vm", "shutdown", "q-1", "--fleet", fleet);
    expect(off, off.stderr).toMatchObject({ code: 0 });
    expect(await system.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "odorobo-qemu@*")).toBe("");
  });
});

async function aFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
