/** One table for all supervisors: the one for tests must behave as the real ones do. */
import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type LaunchCommand, NEEDS_NOTHING } from "../../../src/agent/launch-command.ts";
import {
  createInMemorySupervisor,
  ProcessTable,
} from "../../../src/agent/supervisor/in-memory/in-memory-supervisor.ts";
import { createSpawnSupervisor } from "../../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import type { Supervisor } from "../../../src/agent/supervisor/supervisor.ts";
import { createSystemdSupervisor } from "../../../src/agent/supervisor/systemd/systemd-supervisor.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { requires } from "../../support/requirements.ts";
import { aUserManager, requiresUserManager } from "../../support/systemd.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const NEVER = new AbortController().signal;

interface Kind {
  readonly name: string;
  readonly isHere: boolean;
  /** Somebody other than the agent keeps how a process ended: a later agent learns it too. */
  readonly remembers: boolean;
  /** The supervisors of two agents, one after the other, over the same processes. */
  readonly agents: () => Promise<Agents>;
}

interface Agents extends AsyncDisposable {
  readonly first: Supervisor;
  readonly second: Supervisor;
  readonly kill: (pid: number) => void;
}

const nothingToClose = async () => {};

const KINDS: readonly Kind[] = [
  {
    name: "spawn",
    isHere: true,
    remembers: false,
    agents: async () => ({
      first: createSpawnSupervisor(),
      second: createSpawnSupervisor(),
      kill: (pid) => process.kill(pid, "SIGKILL"),
      [Symbol.asyncDispose]: nothingToClose,
    }),
  },
  {
    name: "in memory",
    isHere: true,
    remembers: false,
    agents: async () => {
      const table = new ProcessTable("boot-1");
      return {
        first: createInMemorySupervisor(table),
        second: createInMemorySupervisor(table),
        kill: (pid) => table.end(pid, { code: null, signal: "SIGKILL" }),
        [Symbol.asyncDispose]: nothingToClose,
      };
    },
  },
  {
    name: "systemd",
    isHere: requiresUserManager("the supervisor systemd behaves as the others"),
    remembers: true,
    agents: async () => {
      const manager = await aUserManager();
      const settings = { bus: manager.bus, user: null, hidden: [], log: silentLogger };
      const first = createSystemdSupervisor(settings);
      const second = createSystemdSupervisor(settings);
      return {
        first,
        second,
        kill: (pid) => process.kill(pid, "SIGKILL"),
        async [Symbol.asyncDispose]() {
          await first[Symbol.asyncDispose]();
          await second[Symbol.asyncDispose]();
          await manager[Symbol.asyncDispose]();
        },
      };
    },
  },
];

const isReal = ({ kind }: Supervisor): boolean => kind !== "in-memory";
const stateOf = (pid: number): string | undefined =>
  /^\d+ \(.*\) (.)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1];

const aCommand = (folder: string, over: Partial<LaunchCommand> = {}): LaunchCommand => ({
  executable: "sleep",
  args: ["60"],
  env: {},
  workingFolder: folder,
  outputFile: join(folder, "out.log"),
  staleFiles: [],
  needs: NEEDS_NOTHING,
  ...over,
});

describe.each(KINDS.filter(({ isHere }) => isHere))("$name", ({ agents, remembers }) => {
  test("a process runs until it is stopped, and its handle is plain data", async () => {
    await using folder = await aTempFolder();
    await using world = await agents();
    const { first } = world;
    const handle = await first.start("web-1", aCommand(folder.path), NEVER);
    try {
      expect(JSON.parse(JSON.stringify(handle))).toEqual(handle);
      expect(first.isRunning(handle)).toBe(true);
    } finally {
      await first.stop(handle, 1000);
    }
    expect(first.isRunning(handle)).toBe(false);
    await first.stop(handle, 1000);
  });

  test("who started it learns how it ended; a later agent learns that it ended", async () => {
    await using folder = await aTempFolder();
    await using world = await agents();
    const { first, second, kill } = world;
    const handle = await first.start("web-1", aCommand(folder.path), NEVER);
    const ends = [first.waitForExit(handle, NEVER), second.waitForExit(handle, NEVER)];
    expect(second.isRunning(handle)).toBe(true);
    kill(handle.pid);
    expect(await Promise.all(ends)).toEqual([
      { code: null, signal: "SIGKILL" },
      { code: null, signal: remembers ? "SIGKILL" : null },
    ]);
    expect(await first.waitForExit(handle, NEVER)).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("a later agent finds the process that no record names, and only while it runs", async () => {
    await using folder = await aTempFolder();
    await using other = await aTempFolder();
    await using world = await agents();
    const { first, second } = world;
    const command = aCommand(folder.path);
    expect(await second.find("web-1", command)).toBeNull();
    const handle = await first.start("web-1", command, NEVER);
    try {
      expect(await second.find("web-1", command)).toEqual(handle);
      // Another agent's VM of the same name.
      expect(await second.find("web-1", aCommand(other.path))).toBeNull();
    } finally {
      await second.stop(handle, 1000);
    }
    expect(await second.find("web-1", command)).toBeNull();
  });

  test("what works below a folder is found, whatever data folder it belongs to, and nothing else", async () => {
    await using run = await aTempFolder();
    await using data = await aTempFolder();
    await using world = await agents();
    const { first, second } = world;
    const own = join(run.path, "web-1");
    await mkdir(own);
    expect(await second.below(run.path)).toEqual([]);
    const outputFile = join(data.path, "out.log");
    const handle = await first.start("web-1", aCommand(own, { outputFile }), NEVER);
    const beside = await first.start("web-2", aCommand(data.path), NEVER);
    try {
      expect(await second.below(run.path)).toEqual([{ process: handle, workingFolder: own, outputFile }]);
      expect(await second.below(join(run.path, "web"))).toEqual([]);
    } finally {
      await second.stop(handle, 1000);
      await second.stop(beside, 1000);
    }
    expect(await second.below(run.path)).toEqual([]);
  });

  test("a handle of another boot, or of an earlier process with the same pid, is not running and never signalled", async () => {
    await using folder = await aTempFolder();
    await using world = await agents();
    const { first } = world;
    const handle = await first.start("web-1", aCommand(folder.path), NEVER);
    try {
      for (const stranger of [
        { ...handle, bootId: "another" },
        { ...handle, startTicks: handle.startTicks - 1 },
      ]) {
        expect(first.isRunning(stranger)).toBe(false);
        await first.stop(stranger, 1000);
        expect(await first.waitForExit(stranger, NEVER)).toEqual({ code: null, signal: null });
      }
      expect(first.isRunning(handle)).toBe(true);
    } finally {
      await first.stop(handle, 1000);
    }
  });

  test("one that is frozen stands still for every agent, until it is thawed or ended", async () => {
    await using folder = await aTempFolder();
    await using world = await agents();
    const { first, second } = world;
    const handle = await first.start("web-1", aCommand(folder.path), NEVER);
    await first.freeze(handle);
    await second.freeze(handle);
    expect(isReal(first) ? stateOf(handle.pid) : "T").toBe("T");
    expect(second.isRunning(handle)).toBe(true);
    await second.thaw(handle);
    if (isReal(first)) await until("it goes on", () => stateOf(handle.pid) !== "T");
    await first.freeze(handle);
    // Asked to end it would go on first, for as long as it takes to hear that.
    const end = first.waitForExit(handle, NEVER);
    await first.stop(handle, 60_000);
    expect(await end).toEqual({ code: null, signal: "SIGKILL" });
    // Of one that is gone nothing runs.
    await first.freeze(handle);
    await first.thaw(handle);
  });

  test("waiting ends when it is called off, the process goes on", async () => {
    await using folder = await aTempFolder();
    await using world = await agents();
    const { first, second } = world;
    const handle = await first.start("web-1", aCommand(folder.path), NEVER);
    try {
      for (const supervisor of [first, second]) {
        const caller = new AbortController();
        const waiting = supervisor.waitForExit(handle, caller.signal);
        caller.abort();
        await expect(waiting).rejects.toThrow();
      }
      expect(first.isRunning(handle)).toBe(true);
    } finally {
      await first.stop(handle, 1000);
    }
  });

  test("what is not there cannot be started", async () => {
    await using folder = await aTempFolder();
    await using world = await agents();
    const { first } = world;
    await expect(first.start("web-1", aCommand(folder.path, { executable: "missing" }), NEVER)).rejects.toMatchObject({
      code: "HYPERVISOR_FAILED",
    });
  });
});

test("a process that ignores SIGTERM is ended by SIGKILL, and its helpers with it", async () => {
  await using folder = await aTempFolder();
  const supervisor = createSpawnSupervisor();
  const script = `process.on("SIGTERM", () => {}); require("child_process").spawn("sleep", ["60"], { stdio: "inherit" }); console.log("up");`;
  const command = aCommand(folder.path, {
    executable: process.execPath,
    args: ["-e", `${script} setInterval(() => {}, 1000);`],
  });
  const handle = await supervisor.start("web-1", command, NEVER);
  await until("it is up", async () => (await readFile(command.outputFile, "utf8")).includes("up"));
  // Both carry the mark; the one that was started is found.
  expect(await supervisor.find("web-1", command)).toEqual(handle);
  await supervisor.stop(handle, 50);
  expect(supervisor.isRunning(handle)).toBe(false);
  await until("its helper is gone too", async () => (await supervisor.find("web-1", command)) === null);
});

test.runIf(requires("a process whose first thread ends first", "python3"))(
  "a process is gone when all its threads are, not when its first one is",
  async () => {
    await using folder = await aTempFolder();
    const supervisor = createSpawnSupervisor();
    const script = `import ctypes, threading, time
threading.Thread(target=lambda: time.sleep(60)).start()
print("up", flush=True)
ctypes.CDLL(None).pthread_exit(None)`;
    const command = aCommand(folder.path, { executable: "python3", args: ["-c", script] });
    const handle = await supervisor.start("web-1", command, NEVER);
    await until("its first thread has ended", async () => stateOf(handle.pid) === "Z");
    expect(supervisor.isRunning(handle)).toBe(true);
    await supervisor.stop(handle, 0);
    expect(supervisor.isRunning(handle)).toBe(false);
  },
);

test("a stale socket goes, and one that answers keeps the process from starting", async () => {
  await using folder = await aTempFolder();
  const socket = join(folder.path, "ch.sock");
  const living = createServer((line) => line.destroy());
  await new Promise<void>((resolve) => living.listen(socket, resolve));
  const supervisor = createSpawnSupervisor();
  const file = join(folder.path, "pid");
  await writeFile(file, "1");
  const command = aCommand(folder.path, { executable: "true", args: [], staleFiles: [file, socket] });
  await expect(supervisor.start("web-1", command, NEVER)).rejects.toEqual(
    expect.objectContaining({ code: "GUEST_UNEXPLAINED", message: expect.stringContaining(socket) }),
  );
  expect((await readdir(folder.path)).sort()).toEqual(["ch.sock", "pid"]);
  // As a process that was killed leaves it: the file, and nobody behind it.
  await rename(socket, `${socket}.kept`);
  await new Promise((resolve) => living.close(resolve));
  await rename(`${socket}.kept`, socket);
  const handle = await supervisor.start("web-1", command, NEVER);
  expect(await supervisor.waitForExit(handle, NEVER)).toEqual({ code: 0, signal: null });
  expect(await readdir(folder.path)).toEqual(["out.log"]);
});

test("output is kept, stale files go, and nothing of the agent's environment leaks", async () => {
  await using folder = await aTempFolder();
  const stale = join(folder.path, "run/qmp.sock");
  await mkdir(join(folder.path, "run"));
  await writeFile(stale, "");
  process.env.ODOROBO_TEST_SECRET = "hunter2";
  const supervisor = createSpawnSupervisor();
  const command = aCommand(folder.path, {
    executable: "sh",
    args: ["-c", 'env; ls run; echo "to stderr" >&2; exit 3'],
    env: { COLOUR: "blue" },
    staleFiles: [stale],
  });
  const handle = await supervisor.start("web-1", command, NEVER);
  expect(await supervisor.waitForExit(handle, NEVER)).toEqual({ code: 3, signal: null });
  const output = await readFile(command.outputFile, "utf8");
  expect(output).toContain("COLOUR=blue");
  expect(output).toContain("to stderr");
  expect(output).not.toContain("hunter2");
  expect(output).not.toContain("qmp.sock");
  delete process.env.ODOROBO_TEST_SECRET;
});
