/**
 * The agent is killed with SIGKILL at every boundary between two acts, in a process of its own, with guests that are real
 * processes; its successor takes over. What `crash.test.ts` shows in one process, shown with a kernel.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { aKillableAgent, KILL_SCRIPT, VICTIM } from "../../support/a-killable-agent.ts";
import { NEVER } from "../../support/an-agent.ts";
import { builtProgram } from "../../support/built.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const VICTIM_SCRIPT = builtProgram("agent-to-kill");

test.concurrent.each([
  { guests: "process", stride: 1 },
  // The same boundaries without the process: every fourth is enough.
  { guests: "noop", stride: 4 },
] as const)(
  "killed at any boundary, its successor finishes the job ($guests)",
  async ({ guests, stride }) => {
    const places = new Set<string>();
    let kills = 0;
    for (let dieAt = 1; ; dieAt += stride) {
      await using folder = await aTempFolder();
      await using guestsLeft = processesOf(folder.path);
      const victim = spawn(process.execPath, [VICTIM_SCRIPT, folder.path, guests, String(dieAt)], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      const [code, signal] = await once(victim, "exit");
      if (signal === null) {
        expect(code).toBe(0);
        expect(existsSync(join(folder.path, "finished"))).toBe(true);
        break;
      }
      expect(signal).toBe("SIGKILL");
      kills++;
      const place = await readFile(join(folder.path, "died-at"), "utf8");
      places.add(place);
      await using agent = await aKillableAgent(folder.path, guests);
      await until("what was left undone is done", async () => (await agent.report(NEVER)).unfinished.length === 0);
      const running = await guestsLeft.list();
      expect(running.length, `killed at ${place}`).toBeLessThanOrEqual(1);
      const vm = (await agent.report(NEVER)).vms[0];
      if (guests === "process") {
        expect([vm?.pid ?? []].flat(), `killed at ${place}`).toEqual(running);
        expect(vm?.phase === "running", `killed at ${place}`).toBe(running.length === 1);
      }
      for (const step of KILL_SCRIPT) {
        const result = await step.ask(agent, step.id);
        if (result.error?.code === "OPERATION_INTERRUPTED") {
          // A reboot that was cut short is either to be done again, or half of it is: then the guest is to be started.
          const rest = result.after?.phase === "stopped" ? KILL_SCRIPT.find((each) => each.what === "boot") : step;
          expect((await rest?.ask(agent, `${step.id}-again`))?.outcome, `killed at ${place}`).toBe("done");
        } else expect(result.outcome, `killed at ${place}: ${result.error?.message}`).toBe("done");
        if (step.what === "reboot") expect((await guestsLeft.list()).length).toBeLessThanOrEqual(1);
      }
      const end = await agent.report(NEVER);
      expect(end).toMatchObject({ vms: [], unfinished: [], tombstones: [{ name: VICTIM, generation: 2 }] });
      expect(await guestsLeft.list()).toEqual([]);
    }
    expect(kills).toBeGreaterThan(30 / stride);
    if (guests === "process") {
      for (const place of [
        "supervisor.start:before",
        "supervisor.start:after",
        "connect:after:fresh",
        "store.save:after",
      ])
        expect(places).toContain(place);
    }
  },
  600_000,
);

/** Guests of the agents of one folder, found by what they have open; whatever is left at the end is killed, by its pid. */
function processesOf(folder: string) {
  const list = async (): Promise<number[]> => {
    const found: number[] = [];
    for (const pid of (await readdir("/proc")).map(Number).filter(Number.isInteger)) {
      const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
      const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
      if (environment.includes(`=${folder}/`) && !/\) [ZX] /.test(stat)) found.push(pid);
    }
    return found;
  };
  return {
    list,
    async [Symbol.asyncDispose]() {
      for (const pid of await list()) process.kill(pid, "SIGKILL");
    },
  };
}
