/** One line on a terminal that counts the seconds of a wait, and is gone afterwards. Elsewhere silent: the result says it all. */
import { safeLine } from "../../../report/words/safe-text.ts";
import { columnsOf } from "./terminal.ts";

/** Shorter waits are not worth a line. */
const QUIET_MS = 400;

export function showWaiting(what: string, stream: NodeJS.WriteStream): Disposable {
  if (!stream.isTTY) return { [Symbol.dispose]: () => {} };
  const begun = performance.now();
  let shown = false;
  const draw = () => {
    shown = true;
    const line = `${safeLine(what)} … ${Math.round((performance.now() - begun) / 1_000)} s`;
    stream.write(`\r\u001b[K${line.slice(0, columnsOf(stream) - 1)}`);
  };
  const first = setTimeout(draw, QUIET_MS);
  const ticks = setInterval(draw, 1_000);
  return {
    [Symbol.dispose]() {
      clearTimeout(first);
      clearInterval(ticks);
      if (shown) stream.write("\r\u001b[K");
    },
  };
}
