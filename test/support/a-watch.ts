/** `odorobo watch --json` as a process, and what it has said so far. */
import type { WatchEvent } from "../../src/report/watch/watch-event.ts";
import { expectValid } from "./expect-valid.ts";
import { type Outcome, startOdorobo } from "./run-odorobo.ts";
import { until } from "./until.ts";

type Of<Name extends WatchEvent["event"]> = Extract<WatchEvent, { readonly event: Name }>;

export interface AWatch extends Disposable {
  events(): readonly WatchEvent[];
  of<Name extends WatchEvent["event"]>(name: Name): readonly Of<Name>[];
  /** Waits for the first event after `mark` of which this holds. `mark` goes behind it. */
  next<Name extends WatchEvent["event"]>(name: Name, holds?: (event: Of<Name>) => boolean): Promise<Of<Name>>;
  /** The next revision that stands so. */
  stands(standing: string): Promise<Of<"revision">>;
  kill(): Promise<void>;
  /** Ctrl-C. All that it said is valid by its schema. */
  stop(): Promise<Outcome>;
}

/** On a machine that is busy with many tests. */
const DEADLINE_MS = 90_000;

export function aWatch(...argv: string[]): AWatch {
  const running = startOdorobo(["watch", ...argv, "--json"]);
  let mark = 0;
  const events = () =>
    running
      .stdout()
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as WatchEvent);
  const watch: AWatch = {
    events,
    of: <Name extends WatchEvent["event"]>(name: Name) =>
      events().filter((each): each is Of<Name> => each.event === name),
    async next(name, holds = () => true) {
      let found = -1;
      const isIt = (event: WatchEvent) => event.event === name && holds(event as Of<typeof name>);
      try {
        await until(
          `${name} is told`,
          () => {
            found = events().findIndex((event, index) => index >= mark && isIt(event));
            if (found < 0 && running.child.exitCode !== null) throw new Error("it ended");
            return found >= 0;
          },
          DEADLINE_MS,
        );
      } catch (error) {
        throw new Error(`${String(error)}\n${running.stdout()}\n${running.stderr()}`);
      }
      mark = found + 1;
      return events()[found] as Of<typeof name>;
    },
    stands: (standing) => watch.next("revision", (event) => event.standing === standing),
    async kill() {
      running.child.kill("SIGKILL");
      await running.ended;
    },
    async stop() {
      running.child.kill("SIGINT");
      const outcome = await running.ended;
      for (const event of events()) expectValid(event, "watch-event");
      return outcome;
    },
    [Symbol.dispose]: () => running[Symbol.dispose](),
  };
  return watch;
}
