/** Waits until a guest says that it is up: a text on its serial line, or a port that takes connections. */
import { type FSWatcher, watch } from "node:fs";
import { connect } from "node:net";
import { basename, dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ReadyProbe } from "../../../model/vm-spec.ts";
import { openPlainFile } from "../../../platform/plain-file.ts";

export interface ProbeTarget {
  readonly probe: ReadyProbe;
  readonly consoleLog: string | null;
  /** Sizes of log files before this boot: an older boot's text must not count. */
  readonly logSizes: Readonly<Record<string, number>>;
  readonly address: string | null;
}

/**
 * How long to wait between two looks. Small guests are up in 50 ms, large ones take minutes: the pause grows with the
 * waiting, so that nobody waits a tenth longer than needed and a slow guest costs four looks a second.
 */
const FIRST_PAUSE_MS = 10;
const LAST_PAUSE_MS = 250;
/** A guest that never stops talking is not looked at more often. */
const LEAST_PAUSE_MS = 5;

/** Resolves when it is ready; rejects when the signal ends the waiting. */
export async function waitUntilReady(target: ProbeTarget, signal: AbortSignal): Promise<void> {
  const isReady =
    target.probe.kind === "serial" ? textWatcher(target, target.probe.pattern) : portProbe(target, target.probe.port);
  using news = watchForWriting(target.probe.kind === "serial" ? target.consoleLog : null);
  for (let pause = FIRST_PAUSE_MS; !(await isReady(signal)); pause = Math.min(LAST_PAUSE_MS, pause * 1.1))
    await news.within(pause, signal);
}

/** Cuts a pause short when something is written. Without a file, or where the kernel has no more watches to give, pauses are whole. */
function watchForWriting(file: string | null): Disposable & { within(ms: number, signal: AbortSignal): Promise<void> } {
  let written = Promise.withResolvers<void>();
  const watcher =
    file === null ? null : tryToWatch(dirname(file), (name) => name === basename(file) && written.resolve());
  return {
    async within(milliseconds, signal) {
      const over = new AbortController();
      const pause = sleep(milliseconds, undefined, { signal: AbortSignal.any([signal, over.signal]) });
      await Promise.race([pause, written.promise]).finally(() => over.abort());
      pause.catch(() => {});
      written = Promise.withResolvers();
      await sleep(LEAST_PAUSE_MS, undefined, { signal });
    },
    [Symbol.dispose]: () => watcher?.close(),
  };
}

function tryToWatch(folder: string, onWritten: (name: string | null) => void): FSWatcher | null {
  try {
    const watcher = watch(folder, { persistent: false }, (_, name) => onWritten(name));
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}

type Look = (signal: AbortSignal) => Promise<boolean>;

const CHUNK_BYTES = 64 * 1024;

function textWatcher(target: ProbeTarget, text: string): Look {
  const { consoleLog } = target;
  if (consoleLog === null) return async () => false;
  let offset = target.logSizes[basename(consoleLog)] ?? 0;
  let tail = "";
  return async () => {
    const file = await openPlainFile(consoleLog).catch(() => null);
    if (file === null) return false;
    try {
      // Begun anew by the hypervisor: everything in it is of this boot.
      if ((await file.stat()).size < offset) offset = 0;
      const chunk = Buffer.alloc(CHUNK_BYTES);
      for (;;) {
        const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, offset);
        if (bytesRead === 0) return false;
        offset += bytesRead;
        // latin1 keeps bytes apart, so that a text cut between two reads is whole again in the next.
        const seen = tail + chunk.toString("latin1", 0, bytesRead);
        if (seen.includes(Buffer.from(text).toString("latin1"))) return true;
        tail = seen.slice(-Buffer.byteLength(text));
      }
    } finally {
      await file.close();
    }
  };
}

const CONNECT_PATIENCE_MS = 2000;

function portProbe(target: ProbeTarget, port: number): Look {
  const { address } = target;
  if (address === null) return async () => false;
  return (signal) =>
    new Promise<boolean>((resolve) => {
      const socket = connect({ host: address, port, timeout: CONNECT_PATIENCE_MS });
      const done = (isOpen: boolean) => {
        signal.removeEventListener("abort", onAbort);
        socket.destroy();
        resolve(isOpen);
      };
      const onAbort = () => done(false);
      signal.addEventListener("abort", onAbort, { once: true });
      socket.once("connect", () => done(true));
      socket.once("timeout", () => done(false));
      socket.once("error", () => done(false));
    });
}
