/** A step that was done, or what of it is otherwise. */
import type { StepReport } from "../../src/apply/apply-report.ts";
import { nodeName, vmName } from "../../src/model/names.ts";

export const aStep = (vm: string, over: Partial<StepReport> = {}): StepReport => ({
  id: `boot-${vm}`,
  kind: "bootVm",
  vm: vmName(vm),
  node: nodeName("n1"),
  title: `boot ${vm} on n1`,
  outcome: "done",
  noop: false,
  attempts: 1,
  milliseconds: 42,
  error: null,
  skippedBecause: null,
  ...over,
});
