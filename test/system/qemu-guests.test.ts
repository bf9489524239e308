/** Real guests on a real QEMU, from manifests to their serial lines, through the command line and an agent. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import type { Plan } from "../../src/plan/plan-document.ts";
import { requires } from "../support/requirements.ts";
import { bootsIn, countsOn, type SystemAgent } from "../support/system-agent.ts";
import { processesOf } from "../support/system-leftovers.ts";
import { expectCode, expectNothingToDo } from "../support/system-scenario.ts";
import { PATIENT, type SystemWorld, systemTest } from "../support/system-world.ts";
import { until } from "../support/until.ts";

describe
  .runIf(requires("real guests through odorobo apply", "qemu-system-x86_64", "qemu-img"))
  .concurrent("qemu", PATIENT, () => {
    systemTest("apply boots guests that speak; then there is nothing to do", async ({ world }) => {
      const n1 = await aNodeWithQemu(world);
      for (const name of ["web-1", "web-2", "web-3"]) await world.vm(name);
      expect(await world.cli("apply", world.fleet, "--yes")).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("Applied: 6 done, 0 failed, 0 skipped"),
      });
      await expectNothingToDo(world);
      for (const name of ["web-1", "web-2", "web-3"]) await countsOn(n1, name);
      const logs = await world.cli("vm", "logs", "web-2", "--fleet", world.fleet);
      expect(logs).toMatchObject({ code: 0, stdout: expect.stringMatching(/^TINY-START\s+COUNTER 0\s+COUNTER 1\s/) });
    });

    systemTest("guests survive a killed agent, and the next one looks after them", async ({ world }) => {
      const n1 = await aNodeWithQemu(world);
      await world.vm("web-1", ["shutdownGrace: 30s"]);
      await apply(world);
      await countsOn(n1, "web-1");
      const { pid, serial } = await n1.vm("web-1");

      await n1.kill();
      await countsOn(n1, "web-1");
      await countsOn(n1, "web-1");
      await n1.start();
      expect(await n1.vm("web-1")).toMatchObject({ pid, serial, phase: "running" });
      await expectNothingToDo(world);

      const shutdown = await world.cli("vm", "shutdown", "web-1", "--fleet", world.fleet);
      expect(shutdown).toMatchObject({ code: 0, stderr: "" });
      const said = await n1.serial("web-1");
      expect(said).toMatch(/POWER-BUTTON\s+BYE\s*$/);
      expect(bootsIn(said)).toBe(1);
      expect(await guestsOf(world)).toEqual([]);
      expect(await n1.vm("web-1")).toMatchObject({ phase: "stopped", endedBy: "operator" });
    });

    systemTest(
      "a guest killed by hand is started again by its agent, and no plan has anything to do with it",
      async ({ world }) => {
        const n1 = await aNodeWithQemu(world);
        await world.vm("web-1");
        await world.vm("web-2");
        await apply(world);
        const other = await n1.vm("web-2");
        const { pid } = await n1.vm("web-1");
        process.kill(pid as number, "SIGKILL");
        await until("its agent has started it again", async () => {
          const vm = await n1.vm("web-1");
          return vm.phase === "running" && vm.pid !== pid;
        });
        expect((await n1.vm("web-1")).lastEvent).toMatchObject({
          kind: "crash",
          message: expect.stringContaining("SIGKILL"),
        });
        await countsOn(n1, "web-1");
        expect(bootsIn(await n1.serial("web-1"))).toBe(2);
        expect(await n1.vm("web-2")).toMatchObject({ pid: other.pid, serial: other.serial });
        await expectNothingToDo(world);
      },
    );

    systemTest("more cpus come live, more memory with one reboot", async ({ world }) => {
      const n1 = await aNodeWithQemu(world);
      await world.vm("web-1", ["cpus: { count: 1, max: 4 }"]);
      await apply(world);
      await countsOn(n1, "web-1");
      const before = await n1.vm("web-1");

      await world.vm("web-1", ["cpus: { count: 3, max: 4 }"]);
      const live = await world.cli("apply", world.fleet, "--yes", "--max-class", "live");
      expect(live).toMatchObject({ code: 0, stdout: expect.stringContaining("cpus.count 1 → 3") });
      await countsOn(n1, "web-1");
      const grown = await n1.vm("web-1");
      expect(grown).toMatchObject({ pid: before.pid, live: { cpus: { count: 3, max: 4 } } });
      expect(bootsIn(await n1.serial("web-1"))).toBe(1);
      await expectNothingToDo(world);

      await world.vm("web-1", ["cpus: { count: 3, max: 4 }", "memory: 128MiB"]);
      expect(await world.cli("apply", world.fleet, "--yes", "--max-class", "live")).toMatchObject({ code: 3 });
      await apply(world);
      await countsOn(n1, "web-1");
      const rebooted = await n1.vm("web-1");
      expect(rebooted).toMatchObject({ live: { cpus: { count: 3 }, memory: { sizeMiB: 128 } } });
      expect(rebooted.pid).not.toBe(before.pid);
      const said = await n1.serial("web-1");
      expect(bootsIn(said)).toBe(2);
      expect(said.match(/POWER-BUTTON/g)).toHaveLength(1);
      await expectNothingToDo(world);
    });

    systemTest("a deleted VM's disk stays, and is its disk again when it comes back", async ({ world }) => {
      const n1 = await aNodeWithQemu(world);
      const disks = ["disks: [ { name: data, size: 16MiB } ]"];
      await world.vm("db-1", disks);
      await world.vm("web-1");
      await apply(world);
      const file = join(n1.dataFolder, "vms/db-1/disks/data.raw");
      await writeFile(file, "precious", { flag: "r+" });
      const { ino, size } = await stat(file);

      await world.remove("vms/db-1.yaml");
      const deletion = await world.cli("apply", world.fleet, "--yes");
      expect(deletion).toMatchObject({ code: 0, stdout: expect.stringContaining("its disks are kept for 7 days") });
      expect(await n1.report()).toMatchObject({ tombstones: [{ name: "db-1", disks: ["data"] }] });
      expect(await guestsOf(world)).toHaveLength(1);
      expect(await n1.serial("db-1")).toMatch(/POWER-BUTTON\s+BYE\s*$/);
      expect(await stat(file)).toMatchObject({ ino, size });
      await expectNothingToDo(world);

      await world.vm("db-1", disks);
      await apply(world);
      await countsOn(n1, "db-1");
      expect(await stat(file)).toMatchObject({ ino, size });
      expect((await readFile(file)).subarray(0, 8).toString()).toBe("precious");
      expect(await n1.report()).toMatchObject({ tombstones: [] });
      await expectNothingToDo(world);
    });

    systemTest("what changed while the agent was dead is found: in git, and in the world", async ({ world }) => {
      const n1 = await aNodeWithQemu(world);
      for (const name of ["web-1", "web-2", "web-3"]) await world.vm(name);
      await apply(world);
      const pids = new Map((await n1.report()).vms.map((vm) => [vm.name as string, vm.pid as number]));
      await n1.kill();
      await world.vm("web-1", ["cpus: { count: 2, max: 2 }"]);
      process.kill(pids.get("web-2") as number, "SIGKILL");

      const blind = await world.cli("plan", world.fleet);
      expect(blind).toMatchObject({ code: 4, stdout: expect.stringContaining("3 VMs could not be seen") });
      await n1.start();
      await until("what died is started again", async () => (await n1.vm("web-2")).phase === "running");
      expect((await n1.vm("web-2")).lastEvent?.message).toBe("its process ended while the agent was away");
      const plan = await world.cli("plan", world.fleet, "--json", "--detailed-exitcode");
      expect(plan.code).toBe(2);
      const { changes } = JSON.parse(plan.stdout) as Plan;
      expect(changes.map(({ name, action, reasons }) => [name, action, reasons.map((reason) => reason.text)])).toEqual([
        ["web-1", "update", ["cpus.count 1 → 2"]],
      ]);
      await apply(world);
      for (const name of ["web-1", "web-2", "web-3"]) await countsOn(n1, name);
      expect((await n1.vm("web-1")).pid).toBe(pids.get("web-1"));
      expect((await n1.vm("web-3")).pid).toBe(pids.get("web-3"));
      await expectNothingToDo(world);
    });
  });

const aNodeWithQemu = async (world: SystemWorld): Promise<SystemAgent> => {
  await world.defaults({ hypervisor: "qemu" });
  return await world.agent("n1", { hypervisors: ["qemu"] });
};

async function apply(world: SystemWorld): Promise<void> {
  await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
}

const guestsOf = async (world: SystemWorld) =>
  (await processesOf(world.scratch)).filter(({ guestOutput }) => guestOutput !== null);
