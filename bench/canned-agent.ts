/**
 * An agent's own HTTP handler over a lifecycle that only has a report: JSON both ways and the check of its shape are paid for,
 * an agent's own work is not. The report is read when it is asked for, so that agents hold no memory of the process that is measured.
 */
import { readFile } from "node:fs/promises";
import { inProcessAgent } from "../src/agent/in-process.ts";
import type { EventLog, Lifecycle } from "../src/agent/lifecycle/lifecycle.ts";
import type { NodeReport } from "../src/model/observed-state.ts";
import type { AgentApi } from "../src/wire/agent-api.ts";
import type { KeptReports } from "../src/wire/kept-reports.ts";
import { reportFile } from "./canned-reports.ts";

export const cannedAgent = (reports: string, node: string, kept: KeptReports): AgentApi =>
  inProcessAgent(cannedLifecycle(reports, node), { nodeName: node, reports: kept });

/** What happens at one that otherwise only reports. */
export interface Happenings {
  readonly events: EventLog;
  /** What was reported, as it is by now. */
  readonly now: (report: NodeReport) => NodeReport;
}

const NOTHING_HAPPENS: Happenings = {
  events: { since: () => ({ events: [], complete: true }), subscribe: () => () => {} },
  now: (report) => report,
};

export const cannedLifecycle = (reports: string, node: string, { events, now } = NOTHING_HAPPENS): Lifecycle => ({
  admit: async () => {},
  report: async () => now(JSON.parse(await readFile(reportFile(reports, node), "utf8")) as NodeReport),
  known: () => {
    throw new Error("this agent only reports");
  },
  vm: () => nothingElse(),
  putVm: () => nothingElse(),
  operate: () => nothingElse(),
  images: { fetch: () => nothingElse(), list: () => nothingElse(), prune: () => nothingElse() },
  letIn: () => {
    throw new Error("nobody is expected here");
  },
  operation: () => null,
  lookFor: async (questions) => questions.map(() => null),
  lease: () => nothingElse(),
  tellWhereabouts: () => nothingElse(),
  events,
  serial: () => nothingElse(),
  counters: () => nothingElse(),
  raw: () => nothingElse(),
  [Symbol.asyncDispose]: async () => {},
});

const nothingElse = (): Promise<never> => Promise.reject(new Error("this agent only reports"));
