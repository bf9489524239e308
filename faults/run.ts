/**
 * `npm run faults`: random faults in the product as people run it, and what must hold whatever happens, looked at from outside.
 *
 *   npm run faults -- --seed 1 --seeds 20 --count 150   seeds 1 to 20, 150 faults each
 *   npm run faults -- --seed 7 --minutes 5              seeds from 7 on, until the time is over
 *   npm run faults -- --seed 7 --list                   which faults a seed means, and nothing else
 *
 *   npm run faults -- --gateway --seed 1 --minutes 5    two loops on one fleet, 25 faults a seed unless --count says so
 *
 *   npm run faults -- --cluster --seed 1 --faults 50    three gateways over three members of etcd, 25 faults a seed unless told
 *
 * A seed that fails is printed with its faults, its logs and the command that replays it. See docs/testing.md.
 */
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type FaultKind, listFaults } from "./list-faults.ts";
import { runSeed } from "./run-seed.ts";
import { againInNamespace, canMount } from "./small-disk.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string" },
    count: { type: "string", default: "150" },
    minutes: { type: "string" },
    port: { type: "string", default: "0" },
    "without-qemu": { type: "boolean", default: false },
    without: { type: "string", multiple: true, default: [] },
    gateway: { type: "boolean", default: false },
    cluster: { type: "boolean", default: false },
    faults: { type: "string" },
    list: { type: "boolean", default: false },
  },
});

const first = whole("seed", values.seed);
const count = whole("count", values.count);
const seeds = values.seeds === undefined ? (values.minutes === undefined ? 1 : Infinity) : whole("seeds", values.seeds);
/** One agent answers over TCP, too; 0: anywhere. */
const port = whole("port", values.port);
const NEEDS_MOUNTS: readonly FaultKind[] = ["fill-data", "fill-run", "fill-cache", "data-read-only"];

async function runAll(): Promise<number> {
  const over = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => over.abort());
  // Some 24 days at most, which is what a timer takes.
  const timer = setTimeout(() => over.abort(), whole("minutes", values.minutes ?? "30000") * 60_000);
  const withQemu = !values["without-qemu"] && spawnSync("qemu-system-x86_64", ["--version"]).status === 0;
  const without = new Set([...values.without, ...(canMount() ? [] : NEEDS_MOUNTS)] as FaultKind[]);
  if (!withQemu) console.log("left out: real guests (needs qemu-system-x86_64)");
  if (without.size > 0)
    console.log(`left out: ${[...without].join(", ")}${canMount() ? "" : " (needs root and mounts)"}`);
  const totals = new Map<FaultKind, number>();
  const failed: number[] = [];
  const start = performance.now();
  let run = 0;
  for (let seed = first; seed < first + seeds && !over.signal.aborted; seed++, run++) {
    const began = performance.now();
    const logs = join(tmpdir(), `odorobo-faults-${seed}`);
    const result = await runSeed(
      { seed, count, withQemu, port, without, signal: over.signal, onRound: () => {} },
      logs,
    );
    for (const [kind, number] of result.byKind) totals.set(kind, (totals.get(kind) ?? 0) + number);
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    const state = result.violations.length === 0 ? "ok" : "FAILED";
    console.log(`seed ${seed}: ${state}, ${result.done} faults (${result.missed} hit nothing) in ${seconds} s`);
    if (result.violations.length === 0) continue;
    failed.push(seed);
    printFaults(seed);
    for (const violation of result.violations) console.log(`  violated: ${violation}`);
    console.log(`  logs: ${result.logs}\n  again: npm run faults -- --seed ${seed} --count ${count}${again(without)}`);
  }
  clearTimeout(timer);
  const done = [...totals.values()].reduce((sum, each) => sum + each, 0);
  const minutes = ((performance.now() - start) / 60_000).toFixed(1);
  console.log(
    [...totals]
      .sort()
      .map(([kind, number]) => `${kind} ${number}`)
      .join(", "),
  );
  console.log(
    `${done} faults over ${run} seeds in ${minutes} min: ${failed.length === 0 ? "no violation" : `FAILED seeds ${failed.join(", ")}`}`,
  );
  return failed.length === 0 ? 0 : 1;
}

const again = (without: ReadonlySet<FaultKind>): string =>
  [...(values["without-qemu"] ? ["--without-qemu"] : []), ...[...without].map((kind) => `--without ${kind}`)]
    .map((flag) => ` ${flag}`)
    .join("");

function printFaults(seed: number): void {
  for (const { before, apply, during, mends } of listFaults(seed, count)) {
    const named = [...before.map(({ number, kind }) => `${number} ${kind}`), `[${apply.number ?? "-"} ${apply.kind}]`];
    const meanwhile = during.map(({ number, kind }) => `${number} ${kind}`);
    console.log(`  ${named.join(", ")} with ${meanwhile.join(", ") || "nothing"}${mends ? "; then mended" : ""}`);
  }
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new Error(`--${name} takes a number`);
}

/** No mounts, no guests of their own: fast, and everywhere. */
async function runAllLoops(): Promise<number> {
  const { runLoops } = await import("./loops/run-loops.ts");
  const over = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => over.abort());
  const timer = setTimeout(() => over.abort(), whole("minutes", values.minutes ?? "30000") * 60_000);
  const number = process.argv.includes("--count") ? count : 25;
  const failed: number[] = [];
  let done = 0;
  for (let seed = first; seed < first + seeds && !over.signal.aborted; seed++) {
    const began = performance.now();
    const { byKind, violations } = await runLoops(seed, number, over.signal);
    const faults = [...byKind.values()].reduce((sum, each) => sum + each, 0);
    done += faults;
    const kinds = [...byKind].sort().map(([kind, times]) => `${kind} ${times}`);
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    console.log(`seed ${seed}: ${violations.length === 0 ? "ok" : "FAILED"}, ${kinds.join(", ")} in ${seconds} s`);
    for (const violation of violations) console.log(`  violated: ${violation}`);
    if (violations.length > 0) failed.push(seed);
  }
  clearTimeout(timer);
  console.log(`${done} faults: ${failed.length === 0 ? "no violation" : `FAILED seeds ${failed.join(", ")}`}`);
  return failed.length === 0 ? 0 : 1;
}

/** Needs etcd. */
async function runAllClusters(): Promise<number> {
  const { buildCommand } = await import("../test/support/build-command.ts");
  // As tests find it that start the command.
  process.env.ODOROBO_TEST_COMMAND = await buildCommand();
  const { runCluster } = await import("./cluster/run-cluster.ts");
  const over = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => over.abort());
  const timer = setTimeout(() => over.abort(), whole("minutes", values.minutes ?? "30000") * 60_000);
  const number = whole("faults", values.faults ?? "25");
  const failed: number[] = [];
  let done = 0;
  for (let seed = first; seed < first + seeds && !over.signal.aborted; seed++) {
    const began = performance.now();
    const { byKind, violations, takeovers } = await runCluster(seed, number, over.signal);
    done += [...byKind.values()].reduce((sum, each) => sum + each, 0);
    const kinds = [...byKind].sort().map(([kind, times]) => `${kind} ${times}`);
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    const state = violations.length === 0 ? "ok" : "FAILED";
    console.log(`seed ${seed}: ${state}, ${takeovers} terms acted, ${kinds.join(", ")} in ${seconds} s`);
    for (const violation of violations) console.log(`  violated: ${violation}`);
    if (violations.length > 0) failed.push(seed);
  }
  clearTimeout(timer);
  console.log(`${done} faults: ${failed.length === 0 ? "no violation" : `FAILED seeds ${failed.join(", ")}`}`);
  return failed.length === 0 ? 0 : 1;
}

if (values.cluster) process.exitCode = await runAllClusters();
else if (values.gateway) process.exitCode = await runAllLoops();
else if (values.list) printFaults(first);
else process.exitCode = (canMount() ? null : await againInNamespace(process.argv.slice(1))) ?? (await runAll());
