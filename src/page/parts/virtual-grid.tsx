/**
 * A table of any length of which only what is seen is in the document. The grid has the focus and names its current row
 * (`aria-activedescendant`), so that a row which scrolls out of the document takes no focus with it.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Window, windowOf } from "./window.ts";

export interface GridColumn<Row> {
  readonly key: string;
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** Whether one can sort by it. */
  readonly sorts?: boolean;
  readonly isNumber?: boolean;
}

export interface Sorting {
  readonly key: string;
  readonly isDescending: boolean;
}

interface GridProps<Row> {
  readonly label: string;
  /** Chooses the widths of the columns, in the style sheet. */
  readonly kind: string;
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly columns: readonly GridColumn<Row>[];
  readonly rowHeight: number;
  readonly sorting?: Sorting;
  readonly onSort?: (key: string) => void;
  readonly onOpen: (row: Row) => void;
  readonly empty: ComponentChildren;
}

export function VirtualGrid<Row>(props: GridProps<Row>) {
  const { label, kind, rows, keyOf, columns, rowHeight, sorting, onSort, onOpen, empty } = props;
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const [shown, setShown] = useState<Window>({ first: 0, end: 40 });
  const [current, setCurrent] = useState<string | null>(null);
  const look = (): void => {
    const box = scroller.current;
    if (box === null) return;
    const next = windowOf(rows.length, rowHeight, box.scrollTop, box.clientHeight);
    setShown((before) => (before.first === next.first && before.end === next.end ? before : next));
  };
  useLayoutEffect(look, [rows.length, rowHeight]);
  useEffect(() => {
    const watcher = new ResizeObserver(look);
    if (scroller.current !== null) watcher.observe(scroller.current);
    return () => watcher.disconnect();
  });

  const at = current === null ? -1 : rows.findIndex((row) => keyOf(row) === current);
  const goTo = (index: number): void => {
    const to = Math.max(0, Math.min(rows.length - 1, index));
    const row = rows[to];
    const box = scroller.current;
    if (row === undefined || box === null) return;
    setCurrent(keyOf(row));
    const [top, bottom] = [to * rowHeight, (to + 1) * rowHeight];
    if (top < box.scrollTop) box.scrollTop = top;
    else if (bottom > box.scrollTop + box.clientHeight - rowHeight)
      box.scrollTop = bottom - box.clientHeight + rowHeight;
    look();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2);
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: Math.max(0, at - 1),
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: rows.length - 1,
    };
    const move = moves[event.key];
    const row = rows[at];
    if (move !== undefined) goTo(move);
    else if (event.key === "Enter" && row !== undefined && event.target === event.currentTarget) onOpen(row);
    else return;
    event.preventDefault();
  };

  const first = Math.min(shown.first, Math.max(0, rows.length - 1));
  const visible = rows.slice(first, Math.min(shown.end, rows.length));
  const activeId = at >= first && at < first + visible.length ? `${id}-${at}` : undefined;
  return (
    <div
      class={`grid grid-${kind}`}
      role="grid"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      aria-activedescendant={activeId}
      tabIndex={0}
      ref={scroller}
      onScroll={look}
      onKeyDown={onKeyDown}
      onFocus={(event) => {
        if (event.target === event.currentTarget && at < 0 && rows.length > 0) goTo(0);
      }}
    >
      <div class="grid-head" role="rowgroup">
        <div class="grid-row" role="row" aria-rowindex={1}>
          {columns.map((column) => (
            <HeadCell key={column.key} column={column} sorting={sorting} onSort={onSort} />
          ))}
        </div>
      </div>
      {rows.length === 0 ? (
        <div role="rowgroup">
          <div role="row">
            <div role="gridcell">{empty}</div>
          </div>
        </div>
      ) : (
        <div class="grid-body" role="rowgroup" style={{ height: `${rows.length * rowHeight}px` }}>
          {visible.map((row, offset) => {
            const index = first + offset;
            return (
              <div
                key={keyOf(row)}
                id={`${id}-${index}`}
                class={index === at ? "grid-row is-current" : "grid-row"}
                role="row"
                tabIndex={-1}
                aria-rowindex={index + 2}
                aria-selected={index === at}
                style={{ transform: `translateY(${index * rowHeight}px)`, height: `${rowHeight}px` }}
                {...{ onClick: () => setCurrent(keyOf(row)) }}
                onDblClick={() => onOpen(row)}
              >
                {columns.map(({ key, cell, isNumber }) => (
                  <div key={key} class={`cell cell-${key}${isNumber ? " number" : ""}`} role="gridcell">
                    {cell(row)}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      )}
    </div>
  );
}

interface HeadCellProps<Row> {
  readonly column: GridColumn<Row>;
  readonly sorting: Sorting | undefined;
  readonly onSort: ((key: string) => void) | undefined;
}

function HeadCell<Row>({ column: { key, title, sorts, isNumber }, sorting, onSort }: HeadCellProps<Row>) {
  const isBy = sorting?.key === key;
  const order = isBy ? (sorting.isDescending ? "descending" : "ascending") : "none";
  return (
    <div
      class={`cell cell-${key}${isNumber ? " number" : ""}`}
      role="columnheader"
      {...(sorts ? { "aria-sort": order } : {})}
    >
      {sorts && onSort !== undefined ? (
        <button type="button" class="sort" onClick={() => onSort(key)}>
          {title}
          <span aria-hidden="true">{isBy ? (sorting.isDescending ? " ↓" : " ↑") : ""}</span>
        </button>
      ) : (
        title
      )}
    </div>
  );
}
