/**
 * KVM or TCG? A /dev/kvm proves little: nested and para-virtualised KVMs exist that run a guest's firmware thirty times slower than
 * TCG does, or not at all. So the tiny guest is booted once, and the answer kept until the host, QEMU or its KVM is another.
 */
import { spawn } from "node:child_process";
import { access, constants, readFile, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { writeFileAtomically } from "../../../platform/atomic-write.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { Accelerator } from "./host.ts";

export interface AcceleratorQuestion {
  readonly executable: string;
  readonly version: string;
  readonly tinyGuest: string;
  /** Where the answer is kept; null: nowhere. */
  readonly cacheFile: string | null;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly kvmDevice: string;
}

/** A KVM that boots the guest within this is good, whatever TCG does. TCG takes 0.1 s, a real KVM less. */
const GOOD_MS = 1000;
/** On a busy host both are slow: then KVM is taken unless it is this much slower than TCG, measured at the same moment. */
const WORST_RATIO = 3;
/** A guest that says nothing for so long does not boot. */
const TRIAL_MS = 20_000;

export async function chooseAccelerator(question: AcceleratorQuestion): Promise<Accelerator> {
  if (!(await canOpen(question.kvmDevice))) return "tcg";
  const key = await cacheKey(question);
  const cached = await readCache(question.cacheFile, key);
  if (cached) return cached;
  const accelerator = (await isKvmGood(question)) ? "kvm" : "tcg";
  if (question.cacheFile !== null) {
    // Without the cache the question is asked again at the next start: slower, not wrong.
    await writeFileAtomically(question.cacheFile, `${JSON.stringify({ key, accelerator })}\n`).catch(() => {});
  }
  return accelerator;
}

async function isKvmGood(question: AcceleratorQuestion): Promise<boolean> {
  const stop = new AbortController();
  const signal = AbortSignal.any([question.signal, stop.signal]);
  const kvm = bootTime("kvm", question, signal, TRIAL_MS);
  try {
    const quick = await Promise.race([kvm, after(GOOD_MS, signal)]);
    if (quick !== "late") return quick !== null;
    const tcg = await bootTime("tcg", question, signal, TRIAL_MS);
    if (tcg === null) return (await kvm) !== null;
    const slow = await Promise.race([kvm, after(Math.max(0, WORST_RATIO * tcg - GOOD_MS), signal)]);
    return slow !== "late" && slow !== null && slow <= Math.max(GOOD_MS, WORST_RATIO * tcg);
  } finally {
    stop.abort();
    await kvm.catch(() => {});
    question.signal.throwIfAborted();
  }
}

/** Milliseconds from exec to the guest's first line; null: it did not come. Ends the process and waits for its end. */
function bootTime(
  accelerator: Accelerator,
  { executable, tinyGuest, clock }: AcceleratorQuestion,
  signal: AbortSignal,
  limitMs: number,
): Promise<number | null> {
  const begun = clock.monotonicMs();
  return new Promise((resolve) => {
    const child = spawn(
      executable,
      [
        ...["-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35,sata=off", "-m", "32M"],
        ...["-accel", accelerator, "-cpu", accelerator === "kvm" ? "host" : "max"],
        ...["-kernel", tinyGuest, "-serial", "stdio", "-no-reboot"],
      ],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    let text = "";
    let answer: number | null = null;
    const end = () => child.kill("SIGKILL");
    const limit = setTimeout(end, limitMs);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    child.stdout.on("data", (chunk: Buffer) => {
      text = (text + chunk.toString("latin1")).slice(-1000);
      if (answer !== null || !text.includes("TINY-START")) return;
      answer = clock.monotonicMs() - begun;
      end();
    });
    child.on("error", () => {});
    child.on("close", () => {
      clearTimeout(limit);
      signal.removeEventListener("abort", end);
      resolve(answer);
    });
  });
}

function after(milliseconds: number, signal: AbortSignal): Promise<"late"> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      resolve("late");
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
  });
}

const canOpen = (device: string): Promise<boolean> =>
  access(device, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );

/** What the answer depends on: this boot of this host, and this very program. */
async function cacheKey({ executable, version }: AcceleratorQuestion): Promise<string> {
  const bootId = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  const folders = executable.includes("/") ? [""] : (process.env.PATH ?? "").split(delimiter);
  for (const folder of folders) {
    const facts = await stat(join(folder, executable)).catch(() => null);
    if (facts) return [bootId.trim(), version, facts.mtimeMs].join(" ");
  }
  return [bootId.trim(), version].join(" ");
}

async function readCache(path: string | null, key: string): Promise<Accelerator | null> {
  if (path === null) return null;
  try {
    const kept = JSON.parse(await readFile(path, "utf8")) as { key?: unknown; accelerator?: unknown };
    const { accelerator } = kept;
    return kept.key === key && (accelerator === "kvm" || accelerator === "tcg") ? accelerator : null;
  } catch {
    return null;
  }
}
