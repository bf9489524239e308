/** What only the supervisor systemd does, and the bad days it must survive, in a real `systemd --user`. */
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LaunchCommand, NEEDS_NOTHING } from "../../../src/agent/launch-command.ts";
import { createSystemdSupervisor } from "../../../src/agent/supervisor/systemd/systemd-supervisor.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { aUserManager, requiresUserManager, type UserManager } from "../../support/systemd.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const NEVER = new AbortController().signal;
/** Guards against hanging only. */
const PATIENCE = 60_000;

const aCommand = (folder: string, over: Partial<LaunchCommand> = {}): LaunchCommand => ({
  kind: "ch",
  executable: "sleep",
  args: ["600"],
  env: {},
  workingFolder: folder,
  outputFile: join(folder, "out.log"),
  staleFiles: [],
  needs: NEEDS_NOTHING,
  ...over,
});

const aScript = (folder: string, script: string, over: Partial<LaunchCommand> = {}): LaunchCommand =>
  aCommand(folder, { executable: "/bin/sh", args: ["-c", script], ...over });

const outputOf = (command: LaunchCommand): Promise<string> => readFile(command.outputFile, "utf8");

describe.runIf(requiresUserManager("guests as units of systemd"))("units of systemd", () => {
  let manager: UserManager;
  beforeAll(async () => {
    manager = await aUserManager();
  }, PATIENCE);
  afterAll(() => manager[Symbol.asyncDispose](), PATIENCE);

  const anAgent = (hidden: readonly string[] = []) =>
    createSystemdSupervisor({ bus: manager.bus, user: null, hidden, log: silentLogger });
  const property = async (unit: string, name: string) =>
    (await manager.systemctl("show", "--value", "-p", name, "--", unit)).trim();

  test("the unit is called as its VM, lies in the agent's slice, and is gone after the stop", async () => {
    await using folder = await aTempFolder();
    await using agent = anAgent();
    const handle = await agent.start("web-1", aCommand(folder.path), NEVER);
    expect(handle.unit).toBe("odorobo-ch@web-1.service");
    expect(await property("odorobo-ch@web-1.service", "Slice")).toBe("odorobo.slice");
    expect(await property("odorobo-ch@web-1.service", "MainPID")).toBe(String(handle.pid));
    await agent.stop(handle, 1000);
    expect(await property("odorobo-ch@web-1.service", "LoadState")).toBe("not-found");
  });

  test("arguments and variables arrive as they are", async () => {
    await using folder = await aTempFolder();
    await using agent = anAgent();
    const args = [
      "$HOME",
      "$" + "{HOME}",
      "$$",
      "%n %i %%",
      'say "hi"',
      "it's",
      "two\nlines",
      "\\x41",
      "ünïcode",
      "",
      " a ",
    ];
    const script = `process.stdout.write(JSON.stringify([process.argv.slice(1), process.env.COLOUR, process.env.SECRET]))`;
    const command = aCommand(folder.path, {
      executable: process.execPath,
      args: ["-e", `${script}; setInterval(() => {}, 1000)`, "--", ...args],
      env: { COLOUR: "%h $HOME" },
    });
    process.env.SECRET = "hunter2";
    const handle = await agent.start("web-1", command, NEVER);
    delete process.env.SECRET;
    await until("it has spoken", async () => (await outputOf(command)) !== "", PATIENCE);
    expect(JSON.parse(await outputOf(command))).toEqual([args, "%h $HOME", null]);
    await agent.stop(handle, 1000);
  });

  test("hostile names are units of their own and lead nowhere", async () => {
    await using folder = await aTempFolder();
    await using agent = anAgent();
    const long = "n".repeat(300);
    const names = ["../x", "..", "a/b", "a-b", "%n", "ü", "a b", "$(id)", "a@b", "-", long, `${long}2`, "a\nb"];
    const started = await Promise.all(
      names.map(async (name, index) => {
        const own = join(folder.path, String(index));
        await mkdir(own);
        const command = aCommand(own);
        return { name, command, handle: await agent.start(name, command, NEVER) };
      }),
    );
    expect(new Set(started.map(({ handle }) => handle.unit)).size).toBe(names.length);
    for (const { name, command, handle } of started) {
      expect(await agent.find(name, command)).toEqual(handle);
      await agent.stop(handle, 1000);
      expect(agent.isRunning(handle)).toBe(false);
    }
  });

  test.each([
    ["exit 3", { code: 3, signal: null }],
    ["exit 0", { code: 0, signal: null }],
    ["kill -SEGV $$", { code: null, signal: "SIGSEGV" }],
    ["kill -TERM $$", { code: null, signal: "SIGTERM" }],
  ])("an agent that was away learns of: %s", async (end, status) => {
    await using folder = await aTempFolder();
    const gate = join(folder.path, "gate");
    const command = aScript(folder.path, `while [ ! -e ${gate} ]; do sleep 0.01; done; ${end}`);
    const first = anAgent();
    const handle = await first.start("web-1", command, NEVER);
    await first[Symbol.asyncDispose]();
    await writeFile(gate, "");
    await until("it has ended", () => !first.isRunning(handle), PATIENCE);
    await using second = anAgent();
    expect(await second.find("web-1", command)).toBeNull();
    expect(await second.waitForExit(handle, NEVER)).toEqual(status);
    // What is left of it does not stand in the way of its next life.
    const again = await second.start("web-1", aCommand(folder.path), NEVER);
    expect(await second.waitForExit(handle, NEVER)).toEqual(status);
    await second.stop(again, 1000);
  });

  test("what cannot be started says why, and leaves nothing behind", async () => {
    await using folder = await aTempFolder();
    await using agent = anAgent();
    const garbage = join(folder.path, "garbage");
    await writeFile(garbage, "\x7fELF is not what this is");
    await chmod(garbage, 0o755);
    const failures: readonly (readonly [LaunchCommand, RegExp])[] = [
      [aCommand(folder.path, { executable: "/no/such/binary" }), /it is not there/],
      [aCommand(folder.path, { executable: garbage }), /could not be executed/],
    ];
    for (const [command, why] of failures) {
      const failure = await agent.start("web-1", command, NEVER).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "HYPERVISOR_FAILED", message: expect.stringMatching(why) });
      expect(await agent.find("web-1", command)).toBeNull();
    }
    expect(await property("odorobo-ch@web-1.service", "LoadState")).toBe("not-found");
  });

  test("one that ends at once is told as a failure or by its exit, never as running", async () => {
    await using folder = await aTempFolder();
    await using agent = anAgent();
    const outcome = await agent.start("web-1", aScript(folder.path, "exit 7"), NEVER).then(
      async (handle) => agent.waitForExit(handle, NEVER),
      (error: Error) => error.message,
    );
    expect([
      { code: 7, signal: null },
      "/bin/sh for web-1 could not be started: it ended with exit status 7",
    ]).toContainEqual(outcome);
  });

  test("a masked unit is told as what it is", async () => {
    await using folder = await aTempFolder();
    await using agent = anAgent();
    await manager.systemctl("mask", "--runtime", "odorobo-ch@web-9.service");
    await expect(agent.start("web-9", aCommand(folder.path), NEVER)).rejects.toMatchObject({
      code: "SUPERVISOR_UNAVAILABLE",
      hint: expect.stringContaining("systemctl unmask"),
    });
    await manager.systemctl("unmask", "--runtime", "odorobo-ch@web-9.service");
    const handle = await agent.start("web-9", aCommand(folder.path), NEVER);
    await agent.stop(handle, 1000);
  });

  test("a guest of another agent with the same name is neither found nor stopped", async () => {
    await using folder = await aTempFolder();
    await using other = await aTempFolder();
    await using agent = anAgent();
    await using neighbour = anAgent();
    const theirs = await neighbour.start("web-1", aCommand(other.path), NEVER);
    const mine = aCommand(folder.path);
    expect(await agent.find("web-1", mine)).toBeNull();
    await expect(agent.start("web-1", mine, NEVER)).rejects.toMatchObject({ code: "HYPERVISOR_FAILED" });
    expect(neighbour.isRunning(theirs)).toBe(true);
    await neighbour.stop(theirs, 1000);
  });

  test("a reload of all units and an admin's drop-in change nothing for a guest that runs", async () => {
    await using folder = await aTempFolder();
    await using agent = anAgent();
    const dropIns = join(manager.unitFolder, "odorobo-ch@.service.d");
    await mkdir(dropIns, { recursive: true });
    await writeFile(join(dropIns, "local.conf"), "[Service]\nEnvironment=FROM_ADMIN=yes\n");
    const handle = await agent.start("web-1", aCommand(folder.path), NEVER);
    const ended = agent.waitForExit(handle, NEVER);
    await manager.systemctl("daemon-reload");
    expect(await property("odorobo-ch@web-1.service", "LoadState")).toBe("loaded");
    expect(await agent.find("web-1", aCommand(folder.path))).toEqual(handle);
    // Admins may add to all guests' units, or to one's.
    expect(await readFile(`/proc/${handle.pid}/environ`, "utf8")).toContain("FROM_ADMIN=yes");
    process.kill(handle.pid, "SIGKILL");
    expect(await ended).toEqual({ code: null, signal: "SIGKILL" });
    await agent.stop(handle, 1000);
  });

  test("one that ignores SIGTERM is ended by SIGKILL, and its helpers with it", async () => {
    await using folder = await aTempFolder();
    await using agent = anAgent();
    const command = aScript(folder.path, "trap '' TERM; sleep 600 & echo $!; wait; wait; while :; do sleep 1; done");
    const handle = await agent.start("web-1", command, NEVER);
    await until("it is up", async () => (await outputOf(command)).includes("\n"), PATIENCE);
    const helper = Number((await outputOf(command)).trim());
    await agent.stop(handle, 50);
    expect(agent.isRunning(handle)).toBe(false);
    await until("its helper is gone too", () => !existsSync(`/proc/${helper}`), PATIENCE);
  });

  test("a start that is called off leaves no process", async () => {
    await using folder = await aTempFolder();
    await using agent = anAgent();
    const caller = new AbortController();
    const starting = agent.start("web-1", aCommand(folder.path), caller.signal);
    caller.abort(new Error("called off"));
    await expect(starting).rejects.toThrow("called off");
    expect(await agent.find("web-1", aCommand(folder.path))).toBeNull();
  });

  test("a hundred started at once all run, and a later agent finds each of them", async () => {
    await using folder = await aTempFolder({ inMemory: true });
    const first = anAgent();
    const guests = Array.from({ length: 100 }, (_, index) => ({
      name: `many-${index}`,
      command: aCommand(join(folder.path, String(index))),
    }));
    for (const { command } of guests) await mkdir(command.workingFolder);
    const handles = await Promise.all(guests.map(({ name, command }) => first.start(name, command, NEVER)));
    await first[Symbol.asyncDispose]();
    await using second = anAgent();
    const found = await Promise.all(guests.map(({ name, command }) => second.find(name, command)));
    expect(found).toEqual(handles);
    await Promise.all(handles.map((handle) => second.stop(handle, 1000)));
    expect(handles.filter((handle) => second.isRunning(handle))).toEqual([]);
    expect(await manager.systemctl("list-units", "--all", "--plain", "--no-legend", "odorobo-ch@many-*")).toBe("");
  }, 60_000);

  test("the bus dies and comes back: guests are seen, ended and started", async () => {
    await using folder = await aTempFolder();
    await using agent = anAgent();
    const command = aCommand(folder.path);
    const handle = await agent.start("web-1", command, NEVER);
    const ended = agent.waitForExit(handle, NEVER);
    process.kill(Number(await property("dbus.service", "MainPID")), "SIGKILL");
    expect(agent.isRunning(handle)).toBe(true);
    await until(
      "the bus is back, with the agent on it",
      async () => (await agent.find("web-1", command).catch(() => null))?.pid === handle.pid,
      PATIENCE,
    );
    await agent.stop(handle, 1000);
    expect(await ended).toEqual({ code: null, signal: "SIGTERM" });
    const again = await agent.start("web-1", command, NEVER);
    await agent.stop(again, 1000);
  });

  test("without any bus a guest is still seen and ended; only a start is refused", async () => {
    await using folder = await aTempFolder();
    const first = anAgent();
    const handle = await first.start("web-1", aCommand(folder.path), NEVER);
    await first[Symbol.asyncDispose]();
    await using cut = createSystemdSupervisor({
      bus: `unix:path=${join(folder.path, "nobody")}`,
      user: null,
      hidden: [],
      log: silentLogger,
    });
    expect(cut.isRunning(handle)).toBe(true);
    await expect(cut.start("web-2", aCommand(folder.path), NEVER)).rejects.toMatchObject({
      code: "SUPERVISOR_UNAVAILABLE",
      hint: expect.stringContaining("systemctl status dbus"),
    });
    const ended = cut.waitForExit(handle, NEVER);
    await cut.stop(handle, 1000);
    expect(cut.isRunning(handle)).toBe(false);
    expect(await ended).toEqual({ code: null, signal: null });
  });

  test("a process sees its own of what is hidden, writes only what it needs, and has no capability", async () => {
    await using folder = await aTempFolder();
    const [data, outside] = [join(folder.path, "data"), join(folder.path, "outside")];
    for (const each of ["vms/web-1/run", "vms/web-1/disks", "vms/web-2"])
      await mkdir(join(data, each), { recursive: true });
    await mkdir(outside);
    await writeFile(join(data, "token"), "secret");
    await writeFile(join(outside, "kernel"), "bytes");
    await using agent = anAgent([data]);
    const disks = join(data, "vms/web-1/disks");
    const script = [
      `ls ${data} ${data}/vms`,
      `echo x > ${disks}/new && echo wrote-disk`,
      "echo x > here && echo wrote-run",
      `echo x > ${outside}/new`,
      `cat ${outside}/kernel && echo`,
      `echo x > ${outside}/kernel || echo no-kernel`,
      "echo x > /etc/odorobo-was-here || echo no-etc",
      "echo x > /proc/sys/kernel/hostname || echo no-tunables",
      "ls -A /tmp | head -1",
      "grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status",
      "mount -t tmpfs tmpfs /mnt || echo no-mount",
      "unshare -n true || echo no-namespace",
      "echo done",
      "sleep 600",
    ].join("\n");
    const command = aScript(join(data, "vms/web-1/run"), script, {
      outputFile: join(folder.path, "out.log"),
      needs: { ...NEEDS_NOTHING, writes: [disks], reads: [join(outside, "kernel")] },
    });
    const handle = await agent.start("web-1", command, NEVER);
    await until("it has tried it all", async () => (await outputOf(command)).includes("done\n"), PATIENCE);
    await agent.stop(handle, 1000);
    const words = (await outputOf(command)).split("\n");
    expect(words).toEqual(expect.arrayContaining(["wrote-disk", "wrote-run", "bytes", "vms", "web-1"]));
    for (const refused of ["kernel", "etc", "tunables", "mount", "namespace"]) expect(words).toContain(`no-${refused}`);
    expect(words).not.toContain("token");
    expect(words).not.toContain("web-2");
    expect(words).toEqual(expect.arrayContaining(["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"]));
    expect(existsSync(join(outside, "new"))).toBe(false);
    // What it wrote is on the node, not in a copy.
    expect(existsSync(join(disks, "new"))).toBe(true);
    expect(existsSync(join(data, "vms/web-1/run/here"))).toBe(true);
  });

  test("while it runs it is given another share of the node", async () => {
    await using folder = await aTempFolder();
    await using agent = anAgent();
    const now = aCommand(folder.path, { needs: { ...NEEDS_NOTHING, ioWeight: 50, memoryMaxMiB: 64 } });
    const unit = "odorobo-ch@web-1.service";
    const shares = async () => Promise.all(["CPUWeight", "IOWeight", "MemoryMax"].map((name) => property(unit, name)));
    const handle = await agent.start("web-1", now, NEVER);
    expect(await shares()).toEqual(["[not set]", "50", String(64 * 1024 * 1024)]);
    const needs = { ...NEEDS_NOTHING, cpuWeight: 200 };
    await agent.adjust?.(handle, now, { ...now, needs });
    expect(await shares()).toEqual(["200", "[not set]", "infinity"]);
    await agent.stop(handle, 1000);
  });
});
