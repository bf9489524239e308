/** What agents said last, so that one with nothing new to say says only that (`If-None-Match`). */
import type { Instant } from "../model/names.ts";
import type { NodeReport } from "../model/observed-state.ts";

export interface KeptReport {
  /** The ETag that the agent gave it. */
  readonly tag: string;
  read(): NodeReport;
}

export interface KeptReports {
  /** Null: nothing is known that could be trusted. */
  get(address: string): KeptReport | null;
  /** Of a report whose shape was checked. The same report, as it is held from now on. Never fails. */
  set(address: string, tag: string, report: NodeReport): Promise<NodeReport>;
}

/** When a report was made, which is no part of what it says: an agent with nothing new to say sends it here. */
export const REPORT_AT_HEADER = "odorobo-report-at";

export interface ReportAnswer {
  readonly status: number;
  readonly header: (name: string) => string | null;
}

/** Null: it must be read from the answer's body. */
export function keptAnswer(known: KeptReport | null, { status, header }: ReportAnswer): NodeReport | null {
  if (known === null || status !== 304) return null;
  const report = known.read();
  return { ...report, at: (header(REPORT_AT_HEADER) as Instant | null) ?? report.at };
}

export const askIfNew = (known: KeptReport | null): Readonly<Record<string, string>> =>
  known === null ? {} : { "if-none-match": known.tag };
