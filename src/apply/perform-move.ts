/**
 * Carries out one move, also when an earlier executor of the same run began it: the two agents see a move through, whatever
 * becomes of whoever asked for it.
 *
 *   perform-step.ts → [perform-move.ts] → wire/move-guest.ts
 */
import { OdoroboError } from "../model/errors.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { NodeReport, VmReport } from "../model/observed-state.ts";
import type { AgentApi } from "../wire/agent-api.ts";
import { moveGuest } from "../wire/move-guest.ts";
import type { Expectation, OperationResult } from "../wire/operations.ts";

interface GuestMove {
  readonly vm: VmName;
  readonly fleet: string | null;
  readonly from: NodeName;
  /** `address`: of its agent, as the node that has the guest reaches it. */
  readonly to: { readonly node: NodeName; readonly address: string };
  /** What the source must still see; null: no condition. */
  readonly expect: Expectation | null;
  /** Of the act. What the agents are asked gets ids of its own: the ticket is another each time. */
  readonly id: string;
  /** One-time secret that the two agents know each other by: at least 128 bits, in no record, log or argument. */
  readonly ticket: string;
  readonly run?: string | undefined;
  readonly mode: "live" | "cold";
  /** The most of the link that it may take, in MiB/s; null: as much as there is. */
  readonly bandwidthMiBps: number | null;
}

/** How often the two are asked whether a move that is under way already has come to its end. */
const LOOK_AGAIN_MS = 500;

/**
 * `after` of the result is the VM where it arrived. Nothing is done twice: where it has arrived already, that is told. Rejects
 * with what either agent refused, or MIGRATION_FAILED (it runs on where it was).
 */
export async function performMove(
  source: AgentApi,
  destination: AgentApi,
  move: GuestMove,
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<OperationResult> {
  const { vm, fleet, from, to, expect, id, ticket } = move;
  for (;;) {
    const [there, here] = await Promise.all([destination.report(signal), source.report(signal)]);
    const arrived = residentIn(there, vm);
    const leaving = here.vms.find((each) => each.name === vm);
    if (arrived !== null && !isResident(leaving)) return asResult(move, arrived, true);
    if (leaving === undefined)
      throw new OdoroboError("NOT_FOUND", `there is no VM ${vm} on ${from}`, {
        hint: "make a new plan: it shows where it is",
      });
    // An earlier caller began it: the agents bring it to its end, and nobody is to begin a second one.
    if (isUnderWay(leaving)) {
      await sleep(LOOK_AGAIN_MS, signal);
      continue;
    }
    // The ticket is another each time, and so are the ids of the two halves: what an earlier ticket came to is not this one's.
    const nonce = ticket.slice(0, 8);
    const sent = await moveGuest(
      {
        ...{ vm, fleet, expect, ticket, run: move.run, report: leaving, bandwidthMiBps: move.bandwidthMiBps },
        mode: move.mode,
        from: { node: from, agent: source },
        to: { ...to, agent: destination },
        ids: { expect: `${id}.expect.${nonce}`, migrate: `${id}.migrate.${nonce}` },
      },
      signal,
    );
    if (sent.outcome !== "done") return { ...sent, id };
    const settled = residentIn(await destination.report(signal), vm);
    if (settled === null)
      throw new OdoroboError(
        "AGENT_PROTOCOL",
        `${from} says that ${vm} has moved to ${to.node}, which does not have it`,
        {
          hint: "odorobo status shows where it is",
        },
      );
    return { ...asResult(move, settled, false), ...(sent.detail === undefined ? {} : { detail: sent.detail }) };
  }
}

/** It lives there: not on its way, and not gone. */
const isResident = (vm: VmReport | undefined): boolean => vm !== undefined && vm.migration === undefined;

const residentIn = ({ vms }: NodeReport, name: VmName): VmReport | null => {
  const vm = vms.find((each) => each.name === name);
  return vm !== undefined && isResident(vm) ? vm : null;
};

const isUnderWay = ({ migration }: VmReport): boolean => migration?.stage === "sending" || migration?.stage === "given";

const asResult = ({ id, vm }: GuestMove, after: VmReport, noop: boolean): OperationResult => ({
  id,
  vm,
  kind: "migrate",
  outcome: "done",
  noop,
  error: null,
  after,
});
