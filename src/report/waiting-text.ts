/** What an act on a VM waits for: the operations of a VM stand in one queue. Pure. */
import type { JournalEntry, VmReport } from "../model/observed-state.ts";
import type { OperationKind } from "../wire/operations.ts";
import { safeLine } from "./words/safe-text.ts";

/** `asked`: what comes behind it. Null: nothing was under way when the node was looked at. */
export function describeQueue(vm: VmReport, unfinished: readonly JournalEntry[], asked: OperationKind): string | null {
  const entry = unfinished.find((each) => each.vm === vm.name);
  if (entry === undefined) return null;
  const { ready } = vm.spec;
  const begun = `${safeLine(vm.name)}: a ${safeLine(entry.kind)} is under way since ${entry.begunAt}`;
  if (ready === null || !WAITING_FOR_READY.has(entry.kind)) return `${begun}; this comes after it`;
  const after = ENDS_THE_WAIT.has(asked) ? "this cuts the wait short" : "this comes after it";
  return `${begun}, waiting for ${probeText(ready)}; ${after}`;
}

/** An end of a guest does not wait for its probe: the agent sees to that. */
const ENDS_THE_WAIT: ReadonlySet<OperationKind> = new Set(["shutdown", "reboot", "delete"]);

const WAITING_FOR_READY: ReadonlySet<string> = new Set(["boot", "reboot", "restore"]);

/** The wait begins when the guest runs, which is known here only roughly: so how long it may take is said, not until when. */
const probeText = (ready: NonNullable<VmReport["spec"]["ready"]>): string =>
  `${ready.kind === "tcp" ? `port ${ready.port}` : `${JSON.stringify(ready.pattern)} on its serial line`} for at most ${ready.timeoutSeconds} s`;
