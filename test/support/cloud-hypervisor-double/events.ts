/** The event monitor: pretty-printed JSON objects, a blank line between, no history, every write error ignored. */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import type { Knobs } from "./knobs.ts";

export interface Events {
  tell(
    source: "vmm" | "vm" | "guest" | "virtio-device",
    event: string,
    properties?: Readonly<Record<string, string>>,
  ): void;
  /** Events that wait (knob `eventMs`) are written now. */
  close(): void;
}

/** `target`: a path, opened and truncated, or an inherited descriptor; null: nobody listens. */
export function openEvents(target: string | number | null, knobs: Knobs): Events {
  const fd =
    typeof target === "string"
      ? openSync(target, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o666)
      : target;
  const late = new Map<NodeJS.Timeout, string>();
  const write = (text: string): void => {
    if (fd === null) return;
    try {
      // In two writes: a reader may see an object without the blank line behind it.
      writeSync(fd, text.trimEnd());
      writeSync(fd, text.slice(text.trimEnd().length));
    } catch {
      // The real one ignores it too: what the reader's pipe has no room for is lost.
    }
  };
  return {
    tell(source, event, properties) {
      const name = `${source}/${event}`;
      if (fd === null || knobs.loseEvents.includes(name)) return;
      const whole = format(source, event, properties);
      const text = knobs.cutEvents.includes(name) ? whole.slice(0, whole.length / 2) : whole;
      if (knobs.eventMs === 0) return write(text);
      const timer = setTimeout(() => {
        late.delete(timer);
        write(text);
      }, knobs.eventMs);
      late.set(timer, text);
    },
    close() {
      for (const [timer, text] of late) {
        clearTimeout(timer);
        write(text);
      }
      late.clear();
      if (fd !== null) closeSync(fd);
    },
  };
}

function format(source: string, event: string, properties: Readonly<Record<string, string>> | undefined): string {
  const sinceStart = performance.now();
  const timestamp = { secs: Math.floor(sinceStart / 1000), nanos: Math.floor((sinceStart % 1000) * 1e6) };
  return `${JSON.stringify({ timestamp, source, event, properties: properties ?? null }, null, 2)}\n\n`;
}
