/**
 * The net below a request: what nobody foresaw, in whatever it set going, ends that request and not the process.
 *
 * A handler's own rejections are answered by `handler.ts`. What is left falls past every `catch`: a rejection that nobody
 * awaits, a throw in a timer or a listener. Node tells the process of these, in the asynchronous context of whoever began
 * them; so each request runs in a context of its own, and the process asks whose slip it was. A slip of no request's is
 * none of ours: that ends the process as ever, its journal says what was begun, and its service manager starts it again.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Logger } from "../logger.ts";

interface Visit {
  readonly onSlip: (error: unknown) => void;
}

const visits = new AsyncLocalStorage<Visit>();

/** `onSlip`: told of what falls past every `catch` of what `run` sets going, also long after it has ended. */
export const runVisit = <Result>(onSlip: (error: unknown) => void, run: () => Result): Result =>
  visits.run({ onSlip }, run);

/** For a process that is an agent's, or a gateway's, own. */
export function catchSlips(log: Logger, who = "agent"): Disposable {
  const onUncaught = (error: unknown) => {
    const visit = visits.getStore();
    if (visit === undefined) {
      log.error({ err: error }, `the ${who} ends: it failed at something it did not expect; guests go on`);
      process.exit(1);
    }
    try {
      visit.onSlip(error);
    } catch (cause) {
      log.error({ err: cause }, "a request could not be ended");
    }
  };
  process.on("uncaughtException", onUncaught);
  return { [Symbol.dispose]: () => void process.off("uncaughtException", onUncaught) };
}
