/**
 * Both halves of a move, as whoever asks for it says them: one agent is told to expect the guest, the other to bring it.
 *
 * The ticket is the caller's: neither agent ever has to tell a secret, so results may be read by others and asked for again.
 */
import { randomBytes } from "node:crypto";
import { isOdoroboError } from "../model/errors.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { VmReport } from "../model/observed-state.ts";
import type { AgentApi } from "./agent-api.ts";
import type { Expectation, OperationResult } from "./operations.ts";

/** Base64url, of 256 bits. A secret: shown to the two agents and to nobody else. */
export const makeTicket = (): string => randomBytes(32).toString("base64url");

export interface Move {
  readonly vm: VmName;
  /** As its node reports it now. */
  readonly report: Pick<VmReport, "generation" | "spec">;
  /** What its node must still see; null or left out: no condition. */
  readonly expect?: Expectation | null;
  /** Which run asks; left out: none. */
  readonly run?: string | undefined;
  readonly fleet: string | null;
  readonly from: { readonly node: NodeName; readonly agent: AgentApi };
  /** `address`: of its agent, as the other node reaches it. */
  readonly to: { readonly node: NodeName; readonly agent: AgentApi; readonly address: string };
  /** Of the two operations. Repeated, with the ticket they were first sent with, they are done once. */
  readonly ids: { readonly expect: string; readonly migrate: string };
  readonly ticket: string;
  /** `cold`: it is off, and its disks are sent. Left out: as it runs. */
  readonly mode?: "live" | "cold";
  readonly bandwidthMiBps?: number | null;
}

/** The result of the half that failed, or of the whole. Rejects with what was refused. */
export async function moveGuest(move: Move, signal: AbortSignal): Promise<OperationResult> {
  const { vm, report, fleet, from, to, ids, ticket, mode = "live" } = move;
  const run = move.run === undefined ? {} : { run: move.run };
  const expected = await to.agent.operate(
    vm,
    {
      kind: "expect-guest",
      ...{ id: ids.expect, expect: null, fleet, ...run },
      ...{ from: from.node, ticket, generation: report.generation, spec: report.spec },
      // An agent of before takes in guests that run, and knows no word for it.
      ...(mode === "cold" ? { mode } : {}),
    },
    signal,
  );
  if (expected.outcome !== "done") return expected;
  const fingerprint = expected.detail?.fingerprint ?? null;
  try {
    return await from.agent.operate(
      vm,
      {
        kind: "migrate",
        ...{ id: ids.migrate, expect: move.expect ?? null, fleet, mode, ...run },
        to: { node: to.node, address: to.address, ticket, fingerprint },
        bandwidthMiBps: move.bandwidthMiBps ?? null,
      },
      signal,
    );
  } catch (error) {
    if (isOdoroboError(error) && REFUSED.has(error.code)) await withdraw(move, expected, signal);
    throw error;
  }
}

/** Answers by which the source has not begun, and will not. */
const REFUSED: ReadonlySet<string> = new Set([
  "WRONG_PHASE",
  "STALE_GENERATION",
  "STALE_SERIAL",
  "NOT_FOUND",
  "UNSUPPORTED",
  "BAD_REQUEST",
]);

/** Only what this caller asked for, as it left it. Where that fails the room is given up by itself, some minutes later. */
async function withdraw({ vm, fleet, to, ids }: Move, { after }: OperationResult, signal: AbortSignal): Promise<void> {
  if (after === null) return;
  const { generation, serial } = after;
  const asked = { id: `${ids.expect}-withdrawn`, expect: { generation, serial }, fleet, graceSeconds: 0 } as const;
  await to.agent.operate(vm, { kind: "shutdown", ...asked }, signal).catch(() => {});
}
