/**
 * What people want of runs, said at any gateway of a cluster. It is kept in etcd before anything comes of it, and goes away together with
 * what whoever leads has made of it: a gateway that dies in between leaves it to the next.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Etcd, Write } from "../../etcd/etcd.ts";
import { notLeader } from "../../etcd/term.ts";
import { type ErrorBody, fromErrorBody, isOdoroboError, OdoroboError, toErrorBody } from "../../model/errors.ts";
import type { RunOrder } from "../../run/decide.ts";
import { ANSWERS, ORDERS } from "./run-records.ts";

/** `resume` goes on by whoever leads, and is no order to who executes it. */
export type ClusterOrder = Omit<RunOrder, "kind"> & { readonly kind: RunOrder["kind"] | "resume" };

export interface KeptOrder {
  readonly key: string;
  readonly run: string;
  readonly id: string;
  readonly order: ClusterOrder;
}

/** Time enough for a takeover, and for a connection that is held open meanwhile. */
const ANSWER_MS = 15_000;
const LOOK_MS = 100;
/** An answer that nobody fetched. */
const ANSWER_SECONDS = 120;

/** Resolves when whoever leads has taken it. Rejects with what there is against it, or with NOT_LEADER while it waits for one who leads. */
export async function giveOrder(etcd: Etcd, run: string, order: ClusterOrder): Promise<void> {
  const id = `${Date.now().toString(36)}-${randomBytes(6).toString("hex")}`;
  const key = `${ORDERS}${run}/${id}`;
  const value = JSON.stringify({ ...order, reason: order.reason?.slice(0, REASON_AT_MOST) });
  await etcd.write([{ key, created: 0 }], [{ put: key, value }]);
  for (const end = performance.now() + ANSWER_MS; performance.now() < end; await sleep(LOOK_MS)) {
    const answer = await etcd.get(`${ANSWERS}${id}`).catch(() => null);
    if (answer === null) continue;
    await etcd.write([], [{ remove: answer.key }]).catch(() => {});
    const { error } = JSON.parse(answer.value.toString("utf8")) as { readonly error: ErrorBody | null };
    if (error !== null) throw fromErrorBody(error);
    return;
  }
  throw notLeader("nobody leads just now: what was said is kept, and counts when somebody does");
}

const REASON_AT_MOST = 300;

/** In the order in which they came. */
export async function readOrders(etcd: Etcd): Promise<readonly KeptOrder[]> {
  const { entries } = await etcd.read({ below: ORDERS }, { oldestFirst: true });
  return entries.flatMap(({ key, value }): KeptOrder[] => {
    const [run = "", id = ""] = key.slice(ORDERS.length).split("/");
    try {
      return [{ key, run, id, order: JSON.parse(value.toString("utf8")) as ClusterOrder }];
    } catch {
      return [];
    }
  });
}

/** `error`: what there is against it; null: it was taken. */
export async function toAnswer(etcd: Etcd, { key, id }: KeptOrder, error: unknown): Promise<readonly Write[]> {
  const lease = await etcd.grant(ANSWER_SECONDS).catch(() => null);
  const said = { error: error === null ? null : toErrorBody(toFailure(error)) };
  const answer = { put: `${ANSWERS}${id}`, value: JSON.stringify(said), ...(lease !== null && { lease: lease.id }) };
  return [{ remove: key }, answer];
}

const toFailure = (error: unknown): OdoroboError =>
  isOdoroboError(error) ? error : new OdoroboError("INTERNAL", error instanceof Error ? error.message : String(error));
