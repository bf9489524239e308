/** How far a move is: on a terminal one line that is redrawn and gone afterwards, elsewhere a line for each stage. On stderr. */
import type { VmName } from "../../../model/names.ts";
import { describeProgress } from "../../../report/move-text.ts";
import { safeLine } from "../../../report/words/safe-text.ts";
import type { AgentClient } from "../../../wire/client.ts";
import { columnsOf } from "./terminal.ts";

/** Each look is one small question to the agent. */
const LOOK_MS = 300;

export interface MoveShown {
  readonly name: VmName;
  readonly from: string;
  readonly to: string;
  readonly source: Pick<AgentClient, "operation">;
  /** Of the operation that moves it. */
  readonly id: string;
  readonly stream: NodeJS.WriteStream;
}

export function showMove({ name, from, to, source, id, stream }: MoveShown): Disposable {
  const over = new AbortController();
  let stage = "";
  let isAsking = false;
  const look = async () => {
    if (isAsking) return;
    isAsking = true;
    try {
      const { progress } = await source.operation(id, over.signal);
      if (progress === undefined || over.signal.aborted) return;
      const line = safeLine(`${name} ${from} → ${to}: ${describeProgress(progress)}`);
      if (stream.isTTY) stream.write(`\r\u001b[K${line.slice(0, columnsOf(stream) - 1)}`);
      else if (progress.stage !== stage) stream.write(`${line}\n`);
      stage = progress.stage;
    } catch {
      // It has not begun, or its agent restarts: whoever waits for the result is told.
    } finally {
      isAsking = false;
    }
  };
  const timer = setInterval(() => void look(), LOOK_MS);
  return {
    [Symbol.dispose]() {
      over.abort();
      clearInterval(timer);
      if (stream.isTTY && stage !== "") stream.write("\r\u001b[K");
    },
  };
}
