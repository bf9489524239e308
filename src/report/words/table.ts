/** Columns for terminals: padded with spaces, the last one free. Cells are texts; colour is put on afterwards so that it takes no room. */
import { type ColumnKind, fitColumns } from "./fit-columns.ts";
import { paintWith } from "./paint.ts";
import { safeLine } from "./safe-text.ts";

export interface Column<Row> {
  readonly title: string;
  readonly show: (row: Row) => string;
  /** How it gives way on a narrow terminal; left out: first, as text. */
  readonly kind?: ColumnKind;
}

export interface TableOptions {
  readonly colour: boolean;
  /** Columns of the terminal: what is wider is shortened. Null or left out: there is none, and all is shown. */
  readonly width?: number | null;
}

const GAP = "  ";

export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], options: TableOptions): string {
  const whole = columns.map(({ title, show, kind = "text" }) => ({
    title,
    cells: rows.map((row) => safeLine(show(row))),
    kind,
  }));
  const { width = null } = options;
  const fitting = width === null ? whole : fitColumns(whole, width - GAP.length * (whole.length - 1));
  const widths = fitting.map(({ title, cells }) =>
    cells.reduce((most, cell) => Math.max(most, cell.length), title.length),
  );
  const toLine = (row: readonly string[]) =>
    row
      .map((cell, index) =>
        columns[index]?.kind === "number" ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
      )
      .join(GAP)
      .trimEnd();
  return [
    paintWith(options.colour)("dim", toLine(fitting.map(({ title }) => title))),
    ...rows.map((_, row) => toLine(fitting.map(({ cells }) => cells[row] ?? ""))),
  ].join("\n");
}
