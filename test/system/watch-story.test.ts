/** An evening with `odorobo watch`: a real terminal, a folder under git, a real guest, and no agent but the one inside. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { git } from "../support/a-repository.ts";
import { aTerminal } from "../support/a-terminal.ts";
import { BUILT_COMMAND } from "../support/built.ts";
import { requires } from "../support/requirements.ts";
import { bootsIn } from "../support/system-agent.ts";
import { isAlive, processesOf } from "../support/system-leftovers.ts";
import { PATIENT, systemTest } from "../support/system-world.ts";
import { until } from "../support/until.ts";

const NEEDS = ["qemu-system-x86_64", "qemu-img", "git", "tmux"] as const;

describe.runIf(requires("odorobo watch on a terminal with real guests", ...NEEDS))("watch", PATIENT, () => {
  systemTest("save, see, break, mend, say yes, checkout another branch, Ctrl-C", async ({ world }) => {
    const { scratch, fleet } = world;
    await world.defaults({ hypervisor: "qemu" });
    await world.node("n1", `unix://${scratch}/a.sock`);
    await git(scratch, "init", "--quiet", "--initial-branch=main", fleet);
    const commit = async (message: string) => {
      await git(fleet, "add", "--all");
      await git(fleet, "commit", "--quiet", "--message", message);
    };
    await world.vm("web-1");
    await world.vm("web-2");
    await commit("two");
    await git(fleet, "branch", "two");
    await world.remove("vms/web-2.yaml");
    await commit("one");

    const folders = `--data ${scratch}/d --run ${scratch}/r --state ${scratch}/state`;
    const command = `${process.execPath} ${BUILT_COMMAND} watch ${fleet} ${folders}`;
    const env = { ODOROBO_TEST_WORLD: scratch, XDG_CACHE_HOME: join(scratch, "cache"), NO_COLOR: "1" };
    const said = (vm: string) => readFile(join(scratch, "d/vms", vm, "logs/console.log"), "latin1").catch(() => "");
    const counts = async (vm: string) => [...(await said(vm)).matchAll(/COUNTER \d+\s/g)].length;
    const countsOn = async (vm: string) => {
      const before = await counts(vm);
      await until(`${vm} counts on`, async () => (await counts(vm)) > before, 60_000);
    };
    {
      await using terminal = await aTerminal(scratch, command, env);
      await terminal.shows(/applied r1[\s\S]*test: 1 of 1 VM running, r1 applied\n +web-1 on n1: running/);
      await countsOn("web-1");

      await world.vm("web-1", ["cpus: { count: 2, max: 2 }"]);
      await terminal.shows(/done +update web-1 on n1[\s\S]*r2 applied/);
      expect(bootsIn(await said("web-1"))).toBe(1);

      await world.vm("web-1", ["cpu: { count: 2, max: 2 }"]);
      const broken = await terminal.shows('did you mean "cpus"?');
      expect(broken).toMatch(/vms\/web-1\.yaml:\d+:3 +error +unknown field "cpu"\n.*cpu: .*\n.*\^\^\^/);
      await terminal.shows("r3 is refused: 1 mistake");
      await countsOn("web-1");

      await world.vm("web-1", ["cpus: { count: 2, max: 2 }", "memory: 96MiB"]);
      await terminal.shows('Apply this plan? Type "yes" or "no":');
      await terminal.shows(/! web-1 on n1: reboot/);
      await terminal.press("yes", "Enter");
      await terminal.shows(/done +reboot web-1 on n1[\s\S]*applied r4/);
      await until("it has booted once more", async () => bootsIn(await said("web-1")) === 2, 60_000);

      await git(fleet, "stash", "--quiet");
      await git(fleet, "checkout", "--quiet", "two");
      await terminal.shows(/done +boot web-2 on n1[\s\S]*2 of 2 VMs running/);
      await countsOn("web-2");

      await terminal.press("C-c");
      await terminal.shows(/stopped watching; 2 guests run on: web-1, web-2\n+ended with 0/);
      await countsOn("web-1");
      await countsOn("web-2");
    }
    const guests = (await processesOf(scratch)).filter(({ guestOutput }) => guestOutput !== null);
    expect(guests).toHaveLength(2);
    for (const { pid } of guests) process.kill(pid, "SIGKILL");
    await until("they are gone", () => guests.every(({ pid }) => !isAlive(pid)));
    await until("the window is, too", async () => (await processesOf(scratch)).length === 0);
  });
});
