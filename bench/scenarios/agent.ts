/** What the agent of a server costs: time at a boot, memory, and how soon it knows. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { installed } from "../installed.ts";
import { runProcess } from "../measure.ts";
import { onPath } from "../on-path.ts";
import { notMeasured, type Row, ratioRow, rowOf, type Target, type Unit } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";

export const agent: Scenario = {
  name: "agent",
  about: "a server's agent: boots, reports, memory, news of a death, consoles",
  async run(bench) {
    if (onPath("qemu-system-x86_64") === null)
      return [notMeasured("agent", "QEMU is not installed: apt-get install qemu-system-x86")];
    const [guests, pairs] = bench.quick ? [3, 1] : [100, 10];
    const command = await installed(bench);
    const scratch = join(bench.scratch, "a");
    await mkdir(scratch);
    bench.say(`an agent of ${guests} guests`);
    const consoles = await runConsoles(bench, command);
    const sample = await runProcess("agent-guests", [scratch, command, String(guests), String(pairs)], bench);
    const value = (name: string): number => sample.values[name] ?? Number.NaN;
    const judged = (target: Target): { target?: Target } => (bench.quick ? {} : { target });
    const row = (name: string, key: string, unit: Unit, target: Target | null, did: string): Row => ({
      ...rowOf(name, [sample], { unit, value: () => value(key), did, ...(target === null ? {} : judged(target)) }),
      peakMiB: null,
      cpuMs: null,
    });
    return [
      row("boot by the agent", "agentBootMs", "ms", null, `median of ${pairs}, until the guest counts`),
      row("boot by hand", "handBootMs", "ms", null, "the same command line, in turns"),
      ratioRow(
        "boot, agent : hand",
        [value("bootRatio")],
        "median of the pairs",
        bench.quick ? null : { atMost: 1.15 },
      ),
      row(
        `report of ${guests} VMs`,
        "reportMs",
        "ms",
        { atMost: 50 },
        `${value("running")} asked each time, median of 20`,
      ),
      row(`agent of ${guests} VMs, memory`, "residentMB", "MB", { atMost: 120 }, "resident, after all that"),
      row("from a kill to the report", "deathMs", "ms", { atMost: 200 }, "median of 10 guests killed"),
      ...consoles,
    ];
  },
};

async function runConsoles(bench: Bench, command: string): Promise<Row[]> {
  const scratch = join(bench.scratch, "c");
  await mkdir(scratch);
  bench.say("consoles");
  const sample = await runProcess("agent-console", [scratch, command, bench.quick ? "1" : "256"], bench);
  const row = (name: string, key: string, target: Target | null): Row => ({
    ...rowOf(name, [sample], { unit: "MB/s", value: ({ values }) => values[key] ?? Number.NaN }),
    target: bench.quick ? null : target,
    peakMiB: null,
    cpuMs: null,
    did: `${sample.did}, ${sample.values.lost} bytes lost`,
  });
  if (sample.values.lost !== 0) throw new Error(`${sample.values.lost} bytes of the consoles were lost`);
  return [row("console, one viewer", "oneMBps", { atLeast: 20 }), row("console, five viewers, each", "fiveMBps", null)];
}
