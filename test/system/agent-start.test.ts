/** Agents that must not or cannot start, and agents whose disk is full: a clear reason, and nothing lost. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { aSmallDisk } from "../support/a-small-disk.ts";
import { requires } from "../support/requirements.ts";
import { expectRefusal } from "../support/system-refusal.ts";
import { expectCode, expectNothingToDo } from "../support/system-scenario.ts";
import { PATIENT, systemTest } from "../support/system-world.ts";

/** Where nobody is disturbed should it start after all. */
const HARMLESS = ["agent", "--name", "n9", "--hypervisor", "noop", "--log-level", "error"];

describe.concurrent("agents that do not start", PATIENT, () => {
  systemTest("on a data folder that another agent uses, or at its address", async ({ world }) => {
    const n1 = await world.agent("n1");
    await world.vm("web-1");
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
    const folders = ["--run", join(world.scratch, "r9")];
    const sameFolder = world.cli(...HARMLESS, "--listen", "127.0.0.1:0", "--data", n1.dataFolder, ...folders);
    expectRefusal(await sameFolder, {
      exit: 1,
      code: "DATA_FOLDER_IN_USE",
      names: `another agent, process ${n1.pid}, uses the data folder ${n1.dataFolder}`,
      hint: "--data",
    });
    const sameAddress = world.cli(...HARMLESS, "--listen", `127.0.0.1:${n1.port}`, "--data", "d9", ...folders);
    expectRefusal(await sameAddress, {
      exit: 1,
      code: "ADDRESS_IN_USE",
      names: `another process listens on 127.0.0.1:${n1.port}`,
      hint: "--listen",
    });
    await expectNothingToDo(world);
  });

  systemTest("where strangers would be let in", async ({ world }) => {
    const start = (...flags: string[]) =>
      world.cli(...HARMLESS, "--data", "d9", "--run", join(world.scratch, "r9"), ...flags);
    expectRefusal(await start("--listen", "0.0.0.0:0"), {
      exit: 1,
      code: "AGENT_INSECURE",
      names: "0.0.0.0:0 can be reached from other machines",
      hint: "--token-file",
    });
    await writeFile(join(world.scratch, "token"), "secret", { mode: 0o644 });
    await chmod(join(world.scratch, "token"), 0o644);
    const readable = await start("--listen", "0.0.0.0:0", "--token-file", "token");
    expectRefusal(readable, {
      exit: 1,
      code: "AGENT_INSECURE",
      names: "everybody on this machine may read",
      hint: "chmod 600",
    });
    const missing = await start("--listen", "0.0.0.0:0", "--token-file", "none");
    expectRefusal(missing, {
      exit: 1,
      code: "AGENT_INSECURE",
      names: /cannot read the token file .*none/,
      hint: "--token-file names it",
    });
  });

  systemTest("on folders that may not be written to", async ({ world }) => {
    await mkdir(join(world.scratch, "locked"), { mode: 0o500 });
    await mkdir(join(world.scratch, "ro/d"), { recursive: true });
    await chmod(join(world.scratch, "ro/d"), 0o500);
    const start = (data: string) =>
      world.startUnprivileged(
        ...HARMLESS,
        "--listen",
        "127.0.0.1:0",
        "--data",
        data,
        "--run",
        join(world.scratch, "r9"),
      ).ended;
    expectRefusal(await start("locked/d"), {
      exit: 1,
      code: "AGENT_CONFIG",
      names: /cannot make the folder .*locked\/d/,
      hint: "--data",
    });
    expectRefusal(await start("ro/d"), {
      exit: 1,
      code: "STORAGE_FAILED",
      names: /ro\/d/,
      hint: "a data folder that it may write to",
    });
  });
});

describe
  .runIf(requires("agents whose disk is full or read-only", "mounts"))
  .concurrent("agents on bad disks", PATIENT, () => {
    systemTest(
      "a full disk fails the step and loses nothing; with room again the next apply goes on",
      async ({ world }) => {
        await using disk = await aSmallDisk(world.scratch);
        const n1 = await world.agent("n1", { dataFolder: join(disk.path, "d") });
        await world.vm("web-1");
        await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
        const record = join(disk.path, "d/vms/web-1/record.json");
        const before = await readFile(record, "utf8");
        await disk.fill();

        await world.vm("web-1", ["cpus: { count: 2, max: 2 }"]);
        await world.vm("web-2");
        const failed = await expectCode(world.cli("apply", world.fleet, "--yes"), 1);
        expect(failed.stdout).toMatch(/\n {2}failed {2}update web-1 on n1: .*\(INSUFFICIENT_STORAGE\)\n {10}hint: /);
        expect(failed.stdout).toMatch(/\n {2}failed {2}create web-2 on n1: .*\(INSUFFICIENT_STORAGE\)\n {10}hint: /);
        expect(await readFile(record, "utf8")).toBe(before);
        expect(await n1.vm("web-1")).toMatchObject({ phase: "running" });
        // Not even a restart on the full disk loses it.
        await n1.kill();
        await n1.start();
        expect(await n1.vm("web-1")).toMatchObject({ phase: "running", generation: 1 });

        await disk.empty();
        await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
        await expectNothingToDo(world);
        expect(await n1.vm("web-1")).toMatchObject({ generation: 2, live: { cpus: { count: 2 } } });
        expect((await n1.report()).vms).toHaveLength(2);
        await n1.stop();
      },
    );

    systemTest("a disk that became read-only", async ({ world }) => {
      await using disk = await aSmallDisk(world.scratch);
      const n1 = await world.agent("n1", { dataFolder: join(disk.path, "d") });
      await world.vm("web-1");
      await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
      await disk.remount("ro");
      await world.vm("web-1", ["cpus: { count: 2, max: 2 }"]);
      const failed = await expectCode(world.cli("apply", world.fleet, "--yes"), 1);
      expect(failed.stdout).toMatch(/\n {2}failed {2}update web-1 on n1: .*\(STORAGE_FAILED\)\n {10}hint: /);
      const plan = await expectCode(world.cli("plan", world.fleet, "--detailed-exitcode"), 2);
      expect(plan.stdout).toContain("cpus.count 1 → 2");
      await disk.remount("rw");
      await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
      await expectNothingToDo(world);
      await n1.stop();
    });
  });
