/**
 * One VM to another node, as a person asks for it: as it runs, or stopped, sent and started there.
 *
 *   commands/vm/migrate.ts → [move-vm.ts] → wire/move-guest.ts
 */
import { randomUUID } from "node:crypto";
import { hasProcess } from "../model/capacity.ts";
import { fromErrorBody, OdoroboError } from "../model/errors.ts";
import type { VmReport } from "../model/observed-state.ts";
import type { AgentApi } from "../wire/agent-api.ts";
import { type Move, moveGuest } from "../wire/move-guest.ts";
import type { OperationArgs, OperationResult } from "../wire/operations.ts";

export interface MoveOrder extends Omit<Move, "report" | "mode"> {
  readonly report: VmReport;
  /** Null: as it runs, if it does. */
  readonly mode: "live" | "cold" | null;
  /** What is done beside the move itself, as a sentence. */
  readonly tell: (what: string) => void;
}

export interface Moved {
  readonly result: OperationResult;
  /** As it is on its new node. */
  readonly isRunning: boolean;
}

/**
 * A guest that is stopped for it is started again, wherever it is then. Rejects with why it did not move, or with what the start there was refused
 * with: then it is there, and off.
 */
export async function moveVm(order: MoveOrder, signal: AbortSignal): Promise<Moved> {
  const { report, vm, tell, from, to } = order;
  const runs = hasProcess(report);
  const mode = order.mode ?? (runs ? "live" : "cold");
  if (mode === "live" || !runs) {
    const result = orThrow(await moveGuest({ ...order, mode }, signal));
    return { result, isRunning: runs };
  }
  if (report.phase === "paused")
    throw new OdoroboError(
      "WRONG_PHASE",
      `${vm} is paused: stopped for its move it would forget what it has in memory`,
      {
        hint: `let it run on first, or shut it down: odorobo vm resume ${vm}`,
      },
    );
  tell(`shutting down ${vm} on ${from.node} …`);
  orThrow(await operate(from.agent, order, { kind: "shutdown", graceSeconds: null }, signal));
  let result: OperationResult;
  try {
    result = orThrow(await moveGuest({ ...order, mode }, signal));
  } catch (error) {
    // Its own node knows whether it may be started there: one that was given away is not.
    tell(`starting ${vm} on ${from.node} again …`);
    await operate(from.agent, order, { kind: "boot" }, signal).catch(() => {});
    throw error;
  }
  tell(`starting ${vm} on ${to.node} …`);
  orThrow(await operate(to.agent, order, { kind: "boot" }, signal));
  return { result, isRunning: true };
}

const operate = (agent: AgentApi, { vm }: MoveOrder, args: OperationArgs, signal: AbortSignal) =>
  agent.operate(vm, { id: randomUUID(), expect: null, fleet: null, ...args }, signal);

function orThrow(result: OperationResult): OperationResult {
  if (result.error !== null) throw fromErrorBody(result.error);
  return result;
}
