/** What somebody types at a watch. Ctrl-C stays what it is everywhere. */
import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";

export interface Answers extends Disposable {
  /** Of the line that is not ended yet. Empty where the terminal itself shows what is typed. */
  readonly typed: string;
  /** What was typed before is no answer to what is asked now. */
  forget(): void;
}

/** `isShown`: the terminal echoes what is typed, because nothing redraws its lines. Else `onKey` tells that `typed` is another. */
export function readAnswers(
  isShown: boolean,
  { onLine, onKey }: { readonly onLine: (line: string) => void; readonly onKey: () => void },
): Answers {
  const input = process.stdin;
  const lines: Interface = isShown
    ? createInterface({ input, terminal: false })
    : createInterface({ input, output: new Nowhere(), terminal: true, historySize: 0 });
  let isOver = isShown;
  lines.on("line", onLine);
  lines.on("close", () => {
    isOver = true;
  });
  // In raw mode a terminal sends no signal for Ctrl-C.
  lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  if (!isShown) input.on("keypress", onKey);
  return {
    get typed() {
      return isShown ? "" : lines.line;
    },
    forget() {
      if (isOver) return;
      // To its end, and all before that away.
      for (const name of ["e", "u"]) lines.write(null, { ctrl: true, name });
    },
    [Symbol.dispose]() {
      input.off("keypress", onKey);
      lines.close();
    },
  };
}

class Nowhere extends Writable {
  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }
}
