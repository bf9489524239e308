/** Says at each commit how far its revision has come. Goes by what the loop remembers, so that after a restart it is said, too. */
import type { Logger } from "../../platform/logger.ts";
import type { LoopWatcher } from "../loop/parts.ts";
import type { LoopState } from "../revision/loop-state.ts";
import type { Revision, Standing } from "../revision/revision.ts";
import { standsAs } from "../revision/stands-as.ts";
import type { CommitStatus, Forge } from "./forge.ts";
import { shorten } from "./shorten.ts";
import { statusOfRevision } from "./status-of.ts";
import { StatusQueue, type StatusQueueOptions } from "./status-queue.ts";
import { ToldStatuses } from "./told-statuses.ts";

export interface TellStatusesOptions extends Pick<StatusQueueOptions, "most" | "firstMs" | "longestMs"> {
  readonly forge: Forge;
  /** By its name in the gateway: what it says at commits begins with `odorobo/`. */
  readonly fleet: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** A page of the revision; null: there is none. */
  readonly link: (revision: Revision) => string | null;
  /** Where what was told is kept; null: nowhere. */
  readonly memoryFile: string | null;
}

export interface StatusTeller extends LoopWatcher {
  readonly queue: StatusQueue;
  /** Resolves when all that can be told is told, and kept. */
  settled(): Promise<void>;
}

export async function tellStatuses(options: TellStatusesOptions): Promise<StatusTeller> {
  const { forge, fleet, log, link, memoryFile } = options;
  const context = `odorobo/${fleet}`;
  const told = await ToldStatuses.open(memoryFile, log);
  const queue = new StatusQueue({ ...options, onTold: (status) => told.note(status) });
  /** Runs that wait for an answer, by their revision. */
  const runs = new Map<string, string>();
  /** What was last handed on, by commit: the forge may not have taken it yet. */
  const handed = new Map<string, string>();

  const tell = (state: LoopState, revision: Revision) => {
    if (revision.commit === null) return;
    const same = standsAs(state, revision);
    // What was said of it last was true of the one that was in force then.
    if (same === null && revision.standing === "unchanged") return;
    const meant = same === null || same.standing === "applied" ? revision : same;
    const said = statusOfRevision(meant, runs.get(meant.id) ?? null);
    const line = shorten(meant === revision ? said.line : `as ${meant.id}: ${said.line}`, forge.limits.line);
    const status: CommitStatus = { ...said, line, commit: revision.commit, context, link: link(revision) };
    const text = JSON.stringify(status);
    const before = handed.get(revision.commit);
    // A commit that is looked at once more, as after a restart, stands as it did until something else comes of it.
    if (before === undefined && BEGINNING.has(revision.standing) && told.knows(status)) return;
    if (before === text) return;
    handed.set(revision.commit, text);
    // What was told before this process began need not be told again; later on another may be on its way.
    if (before !== undefined || !told.has(status)) queue.put(status);
  };

  let last: LoopState | null = null;
  return {
    queue,
    told: () => {},
    asked: (revision, _planned, run) => {
      if (run === null) return;
      runs.set(revision, run);
      // It waits already, and nothing else need change until somebody says yes.
      if (last === null) return;
      for (const each of latestOfCommits(last))
        if (each.id === revision || standsAs(last, each)?.id === revision) tell(last, each);
    },
    changed: (state) => {
      last = state;
      for (const revision of latestOfCommits(state)) tell(state, revision);
      const known = new Set(state.revisions.map(({ id }) => id));
      for (const id of runs.keys()) if (!known.has(id)) runs.delete(id);
      const commits = new Set(state.revisions.map(({ commit }) => commit));
      for (const commit of handed.keys()) if (!commits.has(commit)) handed.delete(commit);
    },
    settled: async () => {
      await queue.settled();
      await told.settled();
    },
  };
}

const BEGINNING: ReadonlySet<Standing> = new Set(["seen", "read", "planned"]);

/** One commit may have been seen again later, as `abc~2`: what counts is the last time. */
function latestOfCommits({ revisions }: LoopState): Iterable<Revision> {
  return new Map(revisions.map((revision) => [revision.commit, revision])).values();
}
