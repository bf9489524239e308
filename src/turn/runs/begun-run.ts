/** The first line of a run's journal: which plan, from where, by whom. The same whoever begins it. */
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import type { Limits } from "../../apply/ready-queue.ts";
import type { Instant } from "../../model/names.ts";
import type { Plan } from "../../plan/plan-document.ts";
import { whoami } from "../../platform/whoami.ts";
import type { RunBegun, RunOrigin } from "../../run/journal.ts";
import { isRemote, parseRemote } from "../../source/git/remote-url.ts";
import type { AgentAccess } from "../connect-agents.ts";
import type { FleetLocation } from "../read-fleet.ts";

export interface BegunFrom {
  readonly location: FleetLocation;
  readonly access: AgentAccess;
  readonly limits: Limits;
  readonly at: Instant;
  /** Left out: whoever this process belongs to. */
  readonly by?: string;
  /** As `newRunId` makes them; left out: a new one. */
  readonly run?: string;
  /** Nothing of it begins before somebody approves it. */
  readonly asks?: RunBegun["asks"];
}

export const begunRun = (plan: Plan, from: BegunFrom): RunBegun => ({
  event: "begun",
  at: from.at,
  version: from.asks === undefined ? 1 : 2,
  run: from.run ?? newRunId(from.at),
  plan: plan.id,
  fleet: plan.fleet,
  source: plan.base.source,
  commit: plan.base.commit,
  steps: plan.steps.length,
  limits: from.limits,
  origin: toOrigin(from),
  by: from.by ?? whoami(),
  ...(from.asks === undefined ? {} : { asks: from.asks }),
});

/** Begins with the time, so that names sort as runs began; the rest keeps apart those of one second. */
export function newRunId(at: Instant): string {
  const [day = "", time = ""] = at.replaceAll(/[-:]/g, "").split(/[T.]/);
  return `${day}-${time}-${randomBytes(2).toString("hex")}`;
}

/** Seen from everywhere, without secrets. */
export const originOf = (location: FleetLocation): RunOrigin["location"] =>
  location.kind === "folder"
    ? { kind: "folder", path: resolve(location.path) }
    : { ...location, url: isRemote(location.url) ? parseRemote(location.url).url : resolve(location.url) };

/** Paths as seen from everywhere, addresses without secrets. */
function toOrigin({ location, access }: BegunFrom): RunOrigin {
  const { tokenFile, tls } = access;
  const path = (file: string | undefined) => (file === undefined ? undefined : resolve(file));
  return {
    location: originOf(location),
    tokenFile: path(tokenFile),
    tls: { caFile: path(tls?.caFile), certFile: path(tls?.certFile), keyFile: path(tls?.keyFile) },
  };
}
