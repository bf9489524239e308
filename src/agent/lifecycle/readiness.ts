/** Waits until a guest says that it is up: a text on its serial line, or a port that takes connections. */
import { open } from "node:fs/promises";
import { connect } from "node:net";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ReadyProbe } from "../../model/vm-spec.ts";

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

/** Resolves when it is ready; rejects when the signal ends the waiting. */
export async function waitUntilReady(target: ProbeTarget, signal: AbortSignal): Promise<void> {
  const isReady =
    target.probe.kind === "serial" ? textWatcher(target, target.probe.pattern) : portProbe(target, target.probe.port);
  for (let pause = FIRST_PAUSE_MS; !(await isReady(signal)); pause = Math.min(LAST_PAUSE_MS, pause * 1.1))
    await sleep(pause, undefined, { signal });
}

type Look = (signal: AbortSignal) => Promise<boolean>;

const CHUNK_BYTES = 64 * 1024;

function textWatcher(target: ProbeTarget, text: string): Look {
  const { consoleLog } = target;
  if (consoleLog === null) return async () => false;
  let offset = target.logSizes[basename(consoleLog)] ?? 0;
  let tail = "";
  return async () => {
    const file = await open(consoleLog, "r").catch(() => null);
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
