/** What the agent of a server costs: time at a boot, memory, and how soon it knows. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Comparison, inTurns, rowsOf } from "../in-turns.ts";
import { installed } from "../installed.ts";
import { runProcess } from "../measure.ts";
import { onPath } from "../on-path.ts";
import { notMeasured, type Row, rowOf, type Target, type Unit } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";

export const agent: Scenario = {
  name: "agent",
  about: "a server's agent: boots, reports, memory, news of a death, consoles",
  compares: true,
  async run(bench) {
    if (onPath("qemu-system-x86_64") === null)
      return [notMeasured("agent", "QEMU is not installed: apt-get install qemu-system-x86")];
    const [guests, pairs] = bench.quick ? [3, 1] : [100, 10];
    const consoles = await runConsoles(bench);
    bench.say(`an agent of ${guests} guests`);
    const turns = await inTurns(bench, bench.base === null || bench.quick ? 1 : 3, async (tree) => {
      const command = await installed(tree, bench);
      const scratch = await mkdtemp(join(bench.scratch, "a"));
      const args = [scratch, command, String(guests), String(pairs)];
      const sample = await runProcess("agent-guests", args, tree, bench.signal);
      await rm(scratch, { recursive: true });
      // What the process that asks needs is nobody's figure.
      return { ...sample, peakMiB: null, cpuMs: null };
    });
    const rows = (name: string, key: string, unit: Unit, did: string, comparison: Comparison = {}): Row[] =>
      rowsOf(name, turns, bench, { unit, value: ({ values }) => values[key] ?? Number.NaN, did, ...comparison });
    const asked = `${turns.ours[0]?.values.running} in one answer, each asked at most once a second, median of 20`;
    return [
      ...rows("boot by the agent", "agentBootMs", "ms", `median of ${pairs}, until the guest counts`),
      ...rows("boot by hand", "handBootMs", "ms", "the same command line, in turns"),
      ...rows("boot, agent : hand", "bootRatio", "×", "median of the pairs", { target: { atMost: 1.1 } }),
      ...rows(`report of ${guests} VMs`, "reportMs", "ms", asked, {
        target: { atMost: 50 },
        against: { value: { atMost: 0.6 } },
      }),
      ...rows(`agent of ${guests} VMs, memory`, "residentMB", "MB", "resident, after all that", {
        target: { atMost: 120 },
      }),
      ...rows("from a kill to the report", "deathMs", "ms", "median of 10 guests killed", { target: { atMost: 200 } }),
      ...consoles,
    ];
  },
};

/** Of the work tree alone. */
async function runConsoles(bench: Bench): Promise<Row[]> {
  const { ours, quick, signal } = bench;
  const command = await installed(ours, bench);
  bench.say("consoles");
  const scratch = await mkdtemp(join(bench.scratch, "c"));
  const sample = await runProcess("agent-console", [scratch, command, quick ? "1" : "256"], ours, signal);
  const row = (name: string, key: string, target: Target | null): Row => ({
    ...rowOf(name, [sample], { unit: "MB/s", value: ({ values }) => values[key] ?? Number.NaN }),
    target: quick ? null : target,
    peakMiB: null,
    cpuMs: null,
    did: `${sample.did}, ${sample.values.lost} bytes lost`,
  });
  if (sample.values.lost !== 0) throw new Error(`${sample.values.lost} bytes of the consoles were lost`);
  return [row("console, one viewer", "oneMBps", { atLeast: 20 }), row("console, five viewers, each", "fiveMBps", null)];
}
