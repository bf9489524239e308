/**
 * That something may have changed below some prefixes. A hint and no more: whoever goes by it reads again. So nothing is lost where the
 * stream ends, falls behind a compaction or comes from another member: each new stream begins with a hint.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Etcd } from "./etcd.ts";
import type { WatchAnswer } from "./messages.ts";

/** Before another member is asked. */
const AGAIN_MS = 200;

/** Calls `onHint` until the signal. `onHint`: with the keys that were written, without the prefix; null: nobody knows which. */
export async function watchKeys(
  etcd: Etcd,
  prefixes: readonly string[],
  onHint: (keys: readonly string[] | null) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const { member } = etcd;
    const stream = member.stream<object, WatchAnswer>("Watch/Watch");
    const close = () => stream.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      for (const prefix of prefixes) stream.send({ create_request: etcd.rangeBelow(prefix) });
      const skipped = Buffer.byteLength(etcd.options.prefix);
      for await (const answer of stream.answers) {
        // One that fell behind is told so on a stream that stays open, and hears nothing from then on.
        if (answer.canceled) break;
        if (answer.created) onHint(null);
        else
          onHint(answer.events.flatMap(({ kv }) => (kv === null ? [] : [kv.key.subarray(skipped).toString("utf8")])));
      }
    } catch {
      etcd.failed(member);
    } finally {
      signal.removeEventListener("abort", close);
      stream.close();
    }
    await sleep(AGAIN_MS, undefined, { signal }).catch(() => {});
  }
}
