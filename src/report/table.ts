/** Columns for terminals: padded with spaces, the last one free. Cells are texts; colour is put on afterwards so that it takes no room. */
import type { Paint } from "./paint.ts";
import { safeLine } from "./safe-text.ts";

export interface Column<Row> {
  readonly title: string;
  readonly show: (row: Row) => string;
  readonly align?: "right";
}

export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], paint: Paint): string {
  const cells = rows.map((row) => columns.map((column) => safeLine(column.show(row))));
  const widths = columns.map((column, index) =>
    cells.reduce((width, row) => Math.max(width, (row[index] as string).length), column.title.length),
  );
  const toLine = (row: readonly string[]) =>
    row
      .map((cell, index) =>
        columns[index]?.align === "right" ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [paint("dim", toLine(columns.map((column) => column.title))), ...cells.map(toLine)].join("\n");
}
