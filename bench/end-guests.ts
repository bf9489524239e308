/** Guests outlive the agents that started them. When a scenario was cut short, this ends what it left: QEMUs whose files lie in its folder. */
import { readdirSync, readFileSync } from "node:fs";

export function endGuests(scratch: string): void {
  for (const pid of processIds()) {
    const args = commandLine(pid);
    const isOurs = /qemu-system/.test(args[0] ?? "") && args.some((arg) => arg.includes(`${scratch}/`));
    if (isOurs) kill(pid);
  }
}

function processIds(): number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
