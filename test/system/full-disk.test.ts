/** A node whose disk is really full: an apply that makes room makes it, and is told what else could not be done. */
import { join } from "node:path";
import { describe, expect } from "vitest";
import { aSmallDisk } from "../support/a-small-disk.ts";
import { requires } from "../support/requirements.ts";
import { expectCode, expectNothingToDo } from "../support/system-scenario.ts";
import { PATIENT, systemTest } from "../support/system-world.ts";

describe.runIf(requires("agents whose disk is full", "mounts")).concurrent("a full disk", PATIENT, () => {
  systemTest("holds up neither shutdown, destroy nor purge, and the agent answers all the while", async ({ world }) => {
    await using disk = await aSmallDisk(world.scratch);
    const n1 = await world.agent("n1", { dataFolder: join(disk.path, "d") });
    const others = ["a", "b", "c", "d", "e", "f"].map((letter) => `more-${letter}`);
    for (const name of ["off", "gone", ...others]) await world.vm(name);
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);

    // Others take every byte that gets free.
    await disk.fill();
    await world.vm("off", ["runStrategy: Stopped"]);
    await world.remove("vms/gone.yaml");
    await world.vm("new");
    const applied = await expectCode(world.cli("apply", world.fleet, "--yes"), 1);
    expect(applied.stdout).toContain("failed  create new on n1: could not ");
    expect(applied.stdout).toContain("(INSUFFICIENT_STORAGE)");
    expect(applied.stdout + applied.stderr).not.toContain("AGENT_UNREACHABLE");
    expect(await n1.vm("off")).toMatchObject({ phase: "stopped", endedBy: "operator" });
    expect((await n1.report()).tombstones).toMatchObject([{ name: "gone" }]);

    // What was written is there, also for the next agent.
    await disk.fill();
    await n1.kill();
    await n1.start();
    expect(await n1.vm("off")).toMatchObject({ phase: "stopped", endedBy: "operator" });
    expect((await n1.report()).unreadable ?? []).toEqual([]);
    await disk.fill();
    await expectCode(world.cli("destroy", world.fleet, "--yes", "--allow-destroy=10"), 0);
    for (const name of ["gone", "off", ...others]) {
      await disk.fill();
      await expectCode(world.cli("vm", "purge", name, "--fleet", world.fleet, "--yes"), 0);
    }
    expect(await n1.report()).toMatchObject({ vms: [], tombstones: [] });

    await disk.empty();
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
    await expectNothingToDo(world);
    await n1.stop();
  });
});
