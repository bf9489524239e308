/** What came of the mutants: from Stryker's report to counts for each room and the survivors by their place. Pure. */

/** The part of Stryker's mutation report (schema version 2) that is looked at. Lines and columns from 1. */
export interface MutationReport {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly ReportedMutant[] }>>;
}

interface ReportedMutant {
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly location: { readonly start: ReportedPosition; readonly end: ReportedPosition };
  readonly status: string;
}

interface ReportedPosition {
  readonly line: number;
  readonly column: number;
}

export interface Counts {
  /** All that were tried. */
  readonly mutants: number;
  /** A test failed, or none came to an end. */
  readonly killed: number;
  readonly survived: number;
  /** Of the survivors: no test reaches the place at all. */
  readonly notReached: number;
}

export interface Survivor {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Of the source, as it is and as it was changed; line breaks and what surrounds them are one blank. */
  readonly original: string;
  readonly mutant: string;
  readonly reached: boolean;
}

export interface Findings {
  readonly seed: number;
  readonly rooms: Readonly<Record<string, Counts>>;
  /** What needs the whole run again (values that are made while a module loads) is not tried. */
  readonly notTried: number;
  readonly survivors: readonly Survivor[];
}

export function findingsOf(report: MutationReport, seed: number): Findings {
  const rooms: Record<string, Counts> = {};
  const survivors: Survivor[] = [];
  let notTried = 0;
  for (const [file, { source, mutants }] of Object.entries(report.files).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const room = file.split("/")[1] ?? file;
    for (const mutant of mutants) {
      const killed = mutant.status === "Killed" || mutant.status === "Timeout";
      const survived = mutant.status === "Survived" || mutant.status === "NoCoverage";
      if (!killed && !survived) {
        if (mutant.mutatorName !== "StringLiteral") notTried++;
        continue;
      }
      const before = rooms[room] ?? { mutants: 0, killed: 0, survived: 0, notReached: 0 };
      rooms[room] = {
        mutants: before.mutants + 1,
        killed: before.killed + (killed ? 1 : 0),
        survived: before.survived + (survived ? 1 : 0),
        notReached: before.notReached + (mutant.status === "NoCoverage" ? 1 : 0),
      };
      if (survived) survivors.push(survivorOf(file, source, mutant));
    }
  }
  return { seed, rooms, notTried, survivors };
}

function survivorOf(file: string, source: string, { location, replacement = "", status }: ReportedMutant): Survivor {
  return {
    file,
    line: location.start.line,
    column: location.start.column,
    original: onOneLine(cut(source, location.start, location.end)),
    mutant: onOneLine(replacement),
    reached: status !== "NoCoverage",
  };
}

function cut(source: string, start: ReportedPosition, end: ReportedPosition): string {
  const lines = source.split("\n").slice(start.line - 1, end.line);
  // The end first: on one line it moves when the start is cut off.
  return lines
    .map((line, index) => (index === lines.length - 1 ? line.slice(0, end.column - 1) : line))
    .map((line, index) => (index === 0 ? line.slice(start.column - 1) : line))
    .join("\n");
}

const onOneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ");

/** For people: the survivors, then one line for each room. */
export function renderFindings({ seed, rooms, notTried, survivors }: Findings): string {
  const lines = survivors.map(
    ({ file, line, column, original, mutant, reached }) =>
      `${file}:${line}:${column}  ${original}  →  ${mutant}${reached ? "" : "  (no test reaches it)"}`,
  );
  const counts = Object.entries(rooms).map(
    ([room, { mutants, killed, survived, notReached }]) =>
      `${room}: ${killed} of ${mutants} killed (${percent(killed, mutants)}), ${survived} survived${notReached === 0 ? "" : `, ${notReached} of them where no test goes`}`,
  );
  const left = notTried === 0 ? [] : [`${notTried} not tried: values made while a module loads`];
  return `${[...lines, ...(lines.length === 0 ? [] : [""]), ...counts, ...left, `seed ${seed}`].join("\n")}\n`;
}

const percent = (part: number, whole: number): string => `${Math.floor((100 * part) / whole)} %`;
