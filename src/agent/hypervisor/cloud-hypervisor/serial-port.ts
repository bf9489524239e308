/**
 * Where a guest's serial line is: in the terminal that its process made, as `vm.info` says it. A guest that an older agent started
 * has a socket instead, until its next boot.
 */
import { readdir, readFile } from "node:fs/promises";
import type { VmInfo } from "../../../model/cloud-hypervisor/api.ts";
import type { SerialEnd, SerialPort } from "../../serial-port.ts";

/** The thread that moves the bytes. It ends at the first error of either side, and what is said then goes nowhere. */
const THREAD = "serial-manager";

/** `ask`: what `vm.info` says; null: there is no VM. */
export function serialPort(process: number | null, ask: () => Promise<VmInfo | null>): SerialPort {
  return {
    kind: "stream",
    async find() {
      const info = await ask();
      return info === null ? null : endOf(info, process);
    },
    isServed: () => hasThread(process, THREAD),
  };
}

/** What was made for a boot that is over is still named. */
function endOf({ state, config: { serial } }: VmInfo, holder: number | null): SerialEnd | "none" | null {
  if (state !== "Running" && state !== "Paused") return null;
  if (serial?.mode === "Pty") return serial.file === undefined ? null : { kind: "terminal", path: serial.file, holder };
  if (serial?.mode === "Socket") return serial.socket === undefined ? null : { kind: "socket", path: serial.socket };
  return "none";
}

/** Believed of a process that may not be looked at, and of one that is gone. */
async function hasThread(process: number | null, name: string): Promise<boolean> {
  if (process === null) return true;
  try {
    const threads = await readdir(`/proc/${process}/task`);
    const names = await Promise.all(
      threads.map((id) => readFile(`/proc/${process}/task/${id}/comm`, "utf8").catch(() => "")),
    );
    return names.some((each) => each.trim() === name);
  } catch {
    return true;
  }
}
