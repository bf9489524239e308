/**
 * How runs lie in etcd: small keys, none above a megabyte.
 *
 *   heads/RUN             how far it has come and who is at it: written with whatever is written of the run
 *   journals/RUN/NUMBER   events from that one on, a line each: those that came together are one
 *   plans/RUN/NUMBER      pieces of the plan, compressed
 *   orders/RUN/ID         what somebody wants of it, until whoever leads has said something to that
 *   answers/ID            what that was
 */
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { OdoroboError } from "../../model/errors.ts";
import type { Plan } from "../../plan/plan-document.ts";
import { planIdOf } from "../../plan/plan-id.ts";
import { RUN_VERSIONS, type RunEvent } from "../../run/journal.ts";

/** etcd takes requests of 1.5 MiB at most. */
export const CHUNK_BYTES = 1_000_000;

export const headOf = (run: string): string => `heads/${run}`;
export const journalOf = (run: string): string => `journals/${run}/`;
/** In the order of their names. */
export const eventsFrom = (run: string, number: number): string =>
  `${journalOf(run)}${String(number).padStart(8, "0")}`;
export const planOf = (run: string): string => `plans/${run}/`;
export const ORDERS = "orders/";
export const ANSWERS = "answers/";

export interface Head {
  /** How many events there are. */
  readonly events: number;
  /** Of the last one. */
  readonly at: string;
  readonly isOver: boolean;
  /** The term of whoever executes it; null: nobody does. */
  readonly by: number | null;
  /** Counts what was written of it: no two are the same. */
  readonly writes: number;
}

export const parseHead = (value: Buffer): Head => JSON.parse(value.toString("utf8")) as Head;
export const toBytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

export const toLines = (events: readonly RunEvent[]): string =>
  events.map((event) => `${JSON.stringify(event)}\n`).join("");

/** Throws RUN_UNREADABLE. */
export function parseLines(run: string, value: Buffer): RunEvent[] {
  const unreadable = (message: string, hint: string, cause?: unknown) =>
    new OdoroboError("RUN_UNREADABLE", message, { cause, hint });
  let events: RunEvent[];
  try {
    const lines = value.toString("utf8").split("\n").slice(0, -1);
    events = lines.map((line) => JSON.parse(line) as RunEvent);
    if (events.some(({ event, at }) => typeof event !== "string" || typeof at !== "string"))
      throw new Error("no event");
  } catch (cause) {
    throw unreadable(`the journal of ${run} in etcd is damaged`, "make a new plan: what the run did stays done", cause);
  }
  for (const event of events)
    if (event.event === "begun" && !RUN_VERSIONS.includes(event.version))
      throw unreadable(
        `${run} was begun by an odorobo with journals of version ${event.version}`,
        "carry it on with the odorobo that began it, or make a new plan",
      );
  return events;
}

/** Pieces in their order. */
export async function packPlan(plan: Plan): Promise<Buffer[]> {
  const bytes = await promisify(gzip)(JSON.stringify(plan));
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) pieces.push(bytes.subarray(at, at + CHUNK_BYTES));
  return pieces;
}

/** Rejects with PLAN_FILE_INVALID when it is not whole. */
export async function unpackPlan(run: string, pieces: readonly Buffer[]): Promise<Plan> {
  try {
    const plan = JSON.parse((await promisify(gunzip)(Buffer.concat(pieces))).toString("utf8")) as Plan;
    if (planIdOf(plan) !== plan.id) throw new Error(`its content does not fit its id ${plan.id}`);
    return plan;
  } catch (cause) {
    throw new OdoroboError("PLAN_FILE_INVALID", `the plan of ${run} in etcd is not whole`, {
      cause,
      hint: "make a new plan: what the run did stays done",
    });
  }
}
