/**
 * Where a watch shows itself: on a terminal lines that stay, above a block that is redrawn in place; elsewhere a line for each event,
 * or with `--json` a document.
 */
import type { WatchEvent } from "../../../report/watch/watch-event.ts";
import { renderWatchBlock, renderWatchEvent, type WatchView } from "../../../report/watch/watch-text.ts";
import { rowsTaken } from "../../../report/words/width.ts";
import { columnsOf, noteLine, printLine, rowsOf } from "../screen/terminal.ts";

export interface WatchScreen extends Disposable {
  /** It shows what is typed by itself, in the view's question. */
  readonly isBlock: boolean;
  tell(event: WatchEvent): void;
  /** Longer texts for people: diagnostics, a plan. */
  note(text: string): void;
  show(view: WatchView): void;
}

export interface WatchScreenOptions {
  readonly json: boolean;
  readonly colour: boolean;
  readonly noteColour: boolean;
}

export function openScreen({ json, colour }: WatchScreenOptions): WatchScreen {
  if (json)
    return {
      isBlock: false,
      tell: (event) => printLine(JSON.stringify(event)),
      note: () => {},
      show: () => {},
      ...nothingToEnd,
    };
  // A dumb one cannot take a line back.
  if (process.stdout.isTTY === true && process.env.TERM !== "dumb") return new BlockScreen(process.stdout, colour);
  return {
    isBlock: false,
    tell(event) {
      const line = renderWatchEvent(event, { colour });
      if (line !== null && line !== "") printLine(line);
    },
    note: noteLine,
    show: () => {},
    ...nothingToEnd,
  };
}

const nothingToEnd = { [Symbol.dispose]: () => {} };

/** More is not seen, and costs the terminal more than the work. */
const REDRAW_MS = 100;

class BlockScreen implements WatchScreen {
  readonly isBlock = true;
  readonly #onResize = () => this.#draw("", true);
  readonly #stream: NodeJS.WriteStream;
  readonly #colour: boolean;
  #view: WatchView | null = null;
  #drawn: readonly string[] = [];
  #isOpenLine = false;
  #pending: NodeJS.Timeout | null = null;

  constructor(stream: NodeJS.WriteStream, colour: boolean) {
    this.#stream = stream;
    this.#colour = colour;
    stream.on("resize", this.#onResize);
  }

  tell(event: WatchEvent): void {
    const line = renderWatchEvent(event, { colour: this.#colour });
    if (line !== null && line !== "") this.note(line);
  }

  note(text: string): void {
    this.#draw(`${text}\n`);
  }

  show(view: WatchView): void {
    this.#view = view;
    this.#pending ??= setTimeout(() => this.#draw(""), REDRAW_MS);
  }

  #draw(above: string, isAnew = false): void {
    if (this.#pending !== null) clearTimeout(this.#pending);
    this.#pending = null;
    const room = { colour: this.#colour, rows: rowsOf(this.#stream) - 1, width: columnsOf(this.#stream) };
    const block = this.#view === null ? [] : renderWatchBlock(this.#view, room);
    if (above === "" && !isAnew && block.join("\n") === this.#drawn.join("\n")) return;
    const isQuestion = this.#view?.question != null && block.length > 0;
    const end = isQuestion || block.length === 0 ? "" : "\n";
    this.#stream.write(`${this.#clear()}${above}${block.join("\n")}${end}`);
    this.#drawn = block;
    this.#isOpenLine = isQuestion;
  }

  /** When the window became narrower meanwhile, the terminal has broken the lines that stand there. */
  #clear(): string {
    if (this.#drawn.length === 0) return "";
    const up = rowsTaken(this.#drawn, columnsOf(this.#stream)) - (this.#isOpenLine ? 1 : 0);
    return `\r${up === 0 ? "" : `\u001b[${up}A`}\u001b[J`;
  }

  [Symbol.dispose](): void {
    if (this.#pending !== null) clearTimeout(this.#pending);
    this.#pending = null;
    this.#stream.off("resize", this.#onResize);
    this.#stream.write(this.#clear());
    this.#view = null;
    this.#drawn = [];
  }
}
