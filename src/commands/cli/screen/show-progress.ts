/**
 * How an apply is watched: on a terminal a block that is redrawn in place, with failures left standing above it;
 * elsewhere one line for each step that ended. On stderr, so that stdout stays the report's.
 */
import type { ApplyEvent } from "../../../apply/apply-report.ts";
import { advance, NO_PROGRESS, renderApplyEvent, renderProgressBlock } from "../../../report/apply-progress.ts";
import { columnsOf, rowsOf } from "./terminal.ts";

/** Redrawn at most this often: more is not seen, and costs the terminal more than the apply. */
const REDRAW_MS = 100;
const MOST_ROWS = 8;

export interface ProgressView extends Disposable {
  show(event: ApplyEvent): void;
}

export function openProgress(stream: NodeJS.WriteStream, options: { readonly colour: boolean }): ProgressView {
  return stream.isTTY ? openBlock(stream, options) : openLines(stream, options);
}

function openLines(stream: NodeJS.WriteStream, options: { readonly colour: boolean }): ProgressView {
  let progress = NO_PROGRESS;
  return {
    show(event) {
      progress = advance(progress, event);
      const line = renderApplyEvent(event, progress, options);
      if (line !== null) stream.write(`${line}\n`);
    },
    [Symbol.dispose]: () => {},
  };
}

function openBlock(stream: NodeJS.WriteStream, options: { readonly colour: boolean }): ProgressView {
  let progress = NO_PROGRESS;
  let drawn = 0;
  let pending: NodeJS.Timeout | null = null;
  const clear = () => (drawn === 0 ? "" : `\u001b[${drawn}A\u001b[J`);
  const draw = (above = "") => {
    if (pending) clearTimeout(pending);
    pending = null;
    const rows = Math.max(1, Math.min(MOST_ROWS, rowsOf(stream) - 3));
    const block = renderProgressBlock(progress, { ...options, rows, width: columnsOf(stream) });
    stream.write(`${clear()}${above}${block.join("\n")}\n`);
    drawn = block.length;
  };
  return {
    show(event) {
      progress = advance(progress, event);
      const isQuiet = event.event === "step-ended" && event.report.outcome === "done";
      const line = isQuiet ? null : renderApplyEvent(event, progress, options);
      if (line !== null) draw(`${line}\n`);
      else pending ??= setTimeout(draw, REDRAW_MS);
    },
    [Symbol.dispose]() {
      if (pending) clearTimeout(pending);
      stream.write(clear());
      drawn = 0;
    },
  };
}
