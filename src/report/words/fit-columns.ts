/**
 * Shortens the cells of a table until its columns fit beside each other: of a kind always the widest first, so that little is
 * lost where little is there. Text gives way first, then words of a state, then names, which somebody may have to type: they stay
 * apart, and where that cannot be had the table is left too wide. Numbers stay whole: a shortened one is another number.
 */
export type ColumnKind = "text" | "state" | "name" | "number";

export interface FittedColumn {
  readonly title: string;
  readonly cells: readonly string[];
  readonly kind: ColumnKind;
}

/** `width`: for all cells of a row together, without what is between them. */
export function fitColumns(columns: readonly FittedColumn[], width: number): readonly FittedColumn[] {
  const widths = columns.map(({ title, cells }) => Math.max(title.length, ...cells.map((cell) => cell.length)));
  const least = columns.map(leastWidth);
  for (const kind of ["text", "state", "name"] as const) {
    for (let over = sum(widths) - width; over > 0; over--) {
      const widest = indexOfWidest(columns, widths, least, kind);
      if (widest === null) break;
      (widths[widest] as number)--;
    }
  }
  return columns.map(({ title, cells, kind }, index) => ({
    title: shortenAtEnd(title, widths[index] as number),
    cells: shortenAll(cells, widths[index] as number, kind),
    kind,
  }));
}

function indexOfWidest(
  columns: readonly FittedColumn[],
  widths: readonly number[],
  least: readonly number[],
  kind: ColumnKind,
): number | null {
  let widest: number | null = null;
  for (const [index, column] of columns.entries()) {
    if (column.kind !== kind || (widths[index] as number) <= (least[index] as number)) continue;
    if (widest === null || (widths[index] as number) > (widths[widest] as number)) widest = index;
  }
  return widest;
}

/** Less than this says nothing any more. */
const SHORTEST = 6;

function leastWidth({ title, cells, kind }: FittedColumn): number {
  const whole = Math.max(title.length, ...cells.map((cell) => cell.length));
  const least = Math.min(whole, kind === "text" ? SHORTEST : Math.max(title.length, SHORTEST));
  if (kind === "text" || kind === "state") return least;
  if (kind === "number") return whole;
  // Not sought by halves: names that are apart at one width need not be so at the next.
  const different = new Set(cells).size;
  let apart = whole;
  while (apart > least && new Set(shortenAll(cells, apart - 1, kind)).size === different) apart--;
  return apart;
}

const shortenAll = (cells: readonly string[], width: number, kind: ColumnKind): readonly string[] =>
  cells.map((cell) => (kind === "name" ? shortenInside(cell, width) : shortenAtEnd(cell, width)));

const shortenAtEnd = (text: string, width: number): string =>
  text.length <= width ? text : `${withoutHalf(text.slice(0, width - 1))}…`;

/** Names of one kind begin alike and end with what tells them apart. */
function shortenInside(text: string, width: number): string {
  if (text.length <= width) return text;
  const tail = Math.ceil((width - 1) / 2);
  return `${text.slice(0, width - 1 - tail)}…${text.slice(text.length - tail)}`;
}

/** Without the first half of a character whose other half was cut off. */
const withoutHalf = (text: string): string => text.replace(/[\ud800-\udbff]$/, "");

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
