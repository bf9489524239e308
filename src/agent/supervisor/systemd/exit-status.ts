/** How a service's process ended, from what systemd keeps of it. Pure. */
import { constants } from "node:os";
import type { ExitStatus } from "../supervisor.ts";
import type { UnitState } from "./manager.ts";

const CLD_EXITED = 1;

const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));
// Two names for one number: those that people know.
SIGNALS.set(constants.signals.SIGABRT, "SIGABRT");
SIGNALS.set(constants.signals.SIGIO, "SIGIO");

/** Null while it has not ended. */
export function exitStatusOf(state: UnitState): ExitStatus | null {
  if (state.exitCode === 0) return null;
  const outOfMemory = state.result === "oom-kill" ? { outOfMemory: true } : {};
  if (state.exitCode === CLD_EXITED) return { code: state.exitStatus, signal: null, ...outOfMemory };
  return { code: null, signal: SIGNALS.get(state.exitStatus) ?? `signal ${state.exitStatus}`, ...outOfMemory };
}

/** systemd ends the process itself with these before the program begins: `man systemd.exec`, "Process Exit Codes". */
const BEFORE_THE_PROGRAM: Readonly<Record<number, string>> = {
  200: "its working folder could not be entered",
  203: "it could not be executed",
  206: "its limits could not be set",
  209: "its output file could not be opened",
  216: "its group is not known",
  217: "its user is not known",
  218: "its capabilities could not be set",
  219: "its control group could not be made",
  226: "its view of the file system could not be made",
  228: "its system calls could not be filtered",
};

/** For people: why the process never came to its program, or how the program ended. */
export function describeEarlyEnd(state: UnitState): string {
  const status = exitStatusOf(state);
  const word = status?.code == null ? undefined : BEFORE_THE_PROGRAM[status.code];
  if (word !== undefined) return word;
  if (status?.signal != null) return `it was ended by ${status.signal}`;
  if (status?.code != null) return `it ended with exit status ${status.code}`;
  return `systemd says ${state.result}`;
}
