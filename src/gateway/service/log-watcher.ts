/** What a loop does, as lines of the log: each with its fleet, and with revision and run where there is one. */
import type { Logger } from "../../platform/logger.ts";
import type { LoopWatcher } from "../loop/parts.ts";
import { showHolder, type Told } from "../revision/loop-state.ts";

export function logWatcher(fleet: string, log: Logger): LoopWatcher {
  /** Of what is applied now: runs have no word of revisions. */
  let revision: string | null = null;
  return {
    told: (told) => {
      const { level, fields, message } = lineOf(told);
      log[level]({ fleet, ...fields }, message);
    },
    asked: (revision, { plan }, run) =>
      log.info({ fleet, revision, run, plan: plan.id, changes: plan.changes.length }, "a plan waits for approval"),
    changed: ({ turn }) => {
      if (turn?.kind === "applying") revision = turn.revision;
    },
    applying: (event, run) => {
      const about = { fleet, revision, run };
      if (event.event === "started") log.info({ ...about, steps: event.steps }, "a run begins");
      else if (event.event === "step-ended") {
        const { title, outcome, error, skippedBecause } = event.report;
        const fields = { ...about, outcome, ...(error === null ? {} : { code: error.code, why: error.message }) };
        if (outcome === "done") log.info(fields, title);
        else log.warn(skippedBecause === null ? fields : { ...fields, why: skippedBecause }, title);
      } else if (event.event === "ended") log.info({ ...about, outcome: event.report.outcome }, "the run has ended");
    },
    source: (trouble) => {
      if (trouble === null) log.info({ fleet }, "the repository can be read again");
      else log.warn({ fleet, code: trouble.code, since: trouble.since, hint: trouble.hint }, trouble.message);
    },
  };
}

interface Line {
  readonly level: "info" | "warn";
  readonly fields: object;
  readonly message: string;
}

function lineOf(told: Told): Line {
  switch (told.kind) {
    case "revision": {
      const { id, what, standing, because, commit } = told.revision;
      const fields = { revision: id, commit, standing, what };
      if (because === null) return { level: "info", fields, message: `the revision is ${standing}` };
      const message = `the revision is ${standing}: ${because.message}`;
      if (because.code === null) return { level: "info", fields, message };
      return { level: "warn", fields: { ...fields, code: because.code, hint: because.hint }, message };
    }
    case "drift": {
      const names = (changes: typeof told.left) => changes.map(({ name }) => name);
      const fields = { reverted: names(told.reverted), left: names(told.left) };
      return { level: "warn", fields, message: "somebody else changed guests" };
    }
    case "trouble": {
      const { code, message, hint } = told.because;
      const fields = { revision: told.revision, code, hint };
      return { level: "warn", fields, message: `guests could not be kept as the revision says: ${message}` };
    }
    case "void": {
      const { revision, plan, by } = told;
      const fields = { revision, plan, by };
      return { level: "warn", fields, message: "an answer came for a plan that is no longer asked about" };
    }
    case "held": {
      const { run, by, since } = told;
      return { level: "info", fields: { run, by, since }, message: `${showHolder(told)} has the fleet` };
    }
    case "unkept": {
      const { code, message, hint } = told.because;
      return { level: "warn", fields: { code, hint }, message: `nothing new is begun: ${message}` };
    }
  }
}
