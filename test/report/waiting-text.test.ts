import { expect, test } from "vitest";
import { type VmName, vmName } from "../../src/model/names.ts";
import { describeQueue } from "../../src/report/waiting-text.ts";
import { aSpec, NOON } from "../support/a-fleet.ts";
import { aVmReport } from "../support/wire-builders.ts";

const entry = (vm: VmName, kind: string) => ({ id: "a", vm, kind, begunAt: NOON });
const vm = aVmReport("web-1", { spec: aSpec({ ready: { kind: "serial", pattern: "login:", timeoutSeconds: 600 } }) });

test("an act behind a boot that waits for its guest says so, and how long that may take", () => {
  expect(describeQueue(vm, [entry(vmName("web-1"), "boot")], "pause")).toBe(
    `web-1: a boot is under way since ${NOON}, waiting for "login:" on its serial line for at most 600 s; this comes after it`,
  );
  const tcp = { ...vm, spec: aSpec({ ready: { kind: "tcp", port: 22, timeoutSeconds: 5 } }) };
  expect(describeQueue(tcp, [entry(vmName("web-1"), "reboot")], "shutdown")).toContain(
    "waiting for port 22 for at most 5 s; this cuts the wait short",
  );
});

test("what waits for no probe says what is under way; another VM's acts hold nobody up", () => {
  expect(describeQueue(vm, [entry(vmName("web-1"), "snapshot")], "shutdown")).toBe(
    `web-1: a snapshot is under way since ${NOON}; this comes after it`,
  );
  expect(describeQueue(vm, [entry(vmName("web-2"), "boot")], "pause")).toBeNull();
});
