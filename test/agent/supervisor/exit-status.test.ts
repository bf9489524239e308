/** What systemd keeps of a process that has ended, in the words of a Supervisor. */
import { expect, test } from "vitest";
import { describeEarlyEnd, exitStatusOf } from "../../../src/agent/supervisor/systemd/exit-status.ts";
import type { UnitState } from "../../../src/agent/supervisor/systemd/manager.ts";

const aState = (over: Partial<UnitState>): UnitState => ({
  load: "loaded",
  active: "failed",
  sub: "failed",
  mainPid: 0,
  lastPid: 4711,
  exitCode: 0,
  exitStatus: 0,
  result: "success",
  environment: [],
  controlGroup: "",
  workingFolder: "",
  ...over,
});

test.each([
  ["runs", {}, null],
  ["exited", { exitCode: 1, exitStatus: 3, result: "exit-code" }, { code: 3, signal: null }],
  ["was killed", { exitCode: 2, exitStatus: 9, result: "signal" }, { code: null, signal: "SIGKILL" }],
  ["dumped core", { exitCode: 3, exitStatus: 6, result: "core-dump" }, { code: null, signal: "SIGABRT" }],
  [
    "had no memory left",
    { exitCode: 2, exitStatus: 9, result: "oom-kill" },
    { code: null, signal: "SIGKILL", outOfMemory: true },
  ],
  ["got a real-time signal", { exitCode: 2, exitStatus: 40 }, { code: null, signal: "signal 40" }],
] as const)("one that %s", (_, state, status) => {
  expect(exitStatusOf(aState(state))).toEqual(status);
});

test.each([
  [{ exitCode: 1, exitStatus: 203 }, "it could not be executed"],
  [{ exitCode: 1, exitStatus: 217 }, "its user is not known"],
  [{ exitCode: 1, exitStatus: 1 }, "it ended with exit status 1"],
  [{ exitCode: 2, exitStatus: 11 }, "it was ended by SIGSEGV"],
  [{ result: "resources" }, "systemd says resources"],
] as const)("a start that came to %j is told as: %s", (state, words) => {
  expect(describeEarlyEnd(aState(state))).toBe(words);
});
