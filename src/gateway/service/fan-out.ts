/** Many who are told what is to be seen of one loop. One that fails is none of the others' business, nor the loop's. */
import type { Logger } from "../../platform/logger.ts";
import type { LoopWatcher } from "../loop/parts.ts";

type Method = keyof LoopWatcher;

export function fanOut(watchers: readonly LoopWatcher[], log: Logger): Required<LoopWatcher> {
  const all =
    <Name extends Method>(name: Name) =>
    (...told: Parameters<Required<LoopWatcher>[Name]>): void => {
      for (const watcher of watchers) {
        try {
          (watcher[name] as ((...args: unknown[]) => void) | undefined)?.call(watcher, ...told);
        } catch (error) {
          log.error({ err: error, told: name }, "one that is told what happens failed at it");
        }
      }
    };
  return {
    told: all("told"),
    asked: all("asked"),
    changed: all("changed"),
    seen: all("seen"),
    applying: all("applying"),
    source: all("source"),
  };
}
