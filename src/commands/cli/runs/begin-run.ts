/** Every apply is a run with an id: kept where it can be taken up again, or, where there is no place, only for as long as it lasts. */
import { randomBytes } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { resolve } from "node:path";
import type { Limits } from "../../../apply/ready-queue.ts";
import { isOdoroboError } from "../../../model/errors.ts";
import type { Instant } from "../../../model/names.ts";
import type { Plan } from "../../../plan/plan-document.ts";
import { stateFolder } from "../../../platform/state-folder.ts";
import { RUN_VERSION, type RunBegun, type RunOrigin } from "../../../run/journal.ts";
import type { RunClaim, RunStore } from "../../../run/run-store.ts";
import { isRemote, parseRemote } from "../../../source/remote-url.ts";
import type { AgentAccess } from "../../../turn/connect-agents.ts";
import type { FleetLocation } from "../../../turn/read-fleet.ts";
import type { Screen } from "../screen/terminal.ts";

export interface RunPlace {
  /** As the user said; undefined: where such things are kept. */
  readonly state: string | undefined;
  readonly location: FleetLocation;
  readonly access: AgentAccess;
}

export async function openRuns(state: string | undefined): Promise<RunStore> {
  const { FileRunStore } = await import("../../../run-store/file-run-store.ts");
  return new FileRunStore(state === undefined ? stateFolder() : resolve(state));
}

export interface BegunRun {
  readonly claim: RunClaim;
  readonly isKept: boolean;
}

/** Rejects with FILE_UNWRITABLE when the run cannot be kept where the user said. */
export async function beginRun(
  screen: Screen,
  plan: Plan,
  { place, limits, at }: { readonly place: RunPlace; readonly limits: Limits; readonly at: Instant },
): Promise<BegunRun> {
  const begun: RunBegun = {
    event: "begun",
    at,
    version: RUN_VERSION,
    run: newRunId(at),
    plan: plan.id,
    fleet: plan.fleet,
    source: plan.base.source,
    commit: plan.base.commit,
    steps: plan.steps.length,
    limits,
    origin: toOrigin(place),
    by: whoami(),
  };
  const { memoryRun } = await import("../../../run-store/memory-run.ts");
  if (plan.steps.length === 0) return { claim: memoryRun(plan, begun), isKept: false };
  try {
    const claim = await (await openRuns(place.state)).create(plan, begun);
    screen.note(`Run ${claim.id}. Should this end early: odorobo runs attach`);
    return { claim, isKept: true };
  } catch (error) {
    if (!isOdoroboError(error, "FILE_UNWRITABLE") || place.state !== undefined) throw error;
    screen.note(`${error.message}: it goes on, and cannot be taken up again should it end early. ${error.hint}.`);
    return { claim: memoryRun(plan, begun), isKept: false };
  }
}

/** Begins with the time, so that names sort as runs began; the rest keeps apart those of one second. */
function newRunId(at: Instant): string {
  const [day = "", time = ""] = at.replaceAll(/[-:]/g, "").split(/[T.]/);
  return `${day}-${time}-${randomBytes(2).toString("hex")}`;
}

export const whoami = (): string => `${userName()}@${hostname()}, process ${process.pid}`;

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without a name, as containers have them.
    return String(process.getuid?.() ?? "somebody");
  }
}

/** Paths as seen from everywhere, addresses without secrets. */
function toOrigin({ location, access }: RunPlace): RunOrigin {
  const { tokenFile, tls } = access;
  const path = (file: string | undefined) => (file === undefined ? undefined : resolve(file));
  return {
    location:
      location.kind === "folder"
        ? { kind: "folder", path: resolve(location.path) }
        : { ...location, url: isRemote(location.url) ? parseRemote(location.url).url : resolve(location.url) },
    tokenFile: path(tokenFile),
    tls: { caFile: path(tls?.caFile), certFile: path(tls?.certFile), keyFile: path(tls?.keyFile) },
  };
}
