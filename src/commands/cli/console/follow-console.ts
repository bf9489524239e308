/**
 * A terminal or a pipe on a guest's serial line, kept up for as long as somebody wants it: across reboots of the guest,
 * restarts of its agent, and moves to other nodes.
 *
 *   keyboard → escape-keys.ts → [follow-console.ts] ⇄ wire/open-console.ts
 *                                     └→ seen-output.ts → display
 *
 * Without `follow` it ends with the guest or the connection, whichever ends first.
 */
import type { ConsoleMessage } from "../../../wire/console-protocol.ts";
import type { ConsoleConnection, ConsoleEnd } from "../../../wire/open-console.ts";
import { connectAgain, lookElsewhere } from "./connect-again.ts";
import { describeEscape } from "./escape-keys.ts";
import { type KeySettings, Keys } from "./keys.ts";
import { SeenOutput } from "./seen-output.ts";

export interface GuestLine {
  readonly node: string;
  readonly connection: ConsoleConnection;
}

export interface ConsoleSettings extends KeySettings {
  readonly vm: string;
  /** Where the guest is now. Rejects with what is wrong; `retryable` errors are no reason to give up what is followed. */
  connect(): Promise<GuestLine>;
  /** Whether the guest, which is off where we look, runs on another node. Null: nobody could know. */
  readonly hasMoved: ((from: string) => Promise<boolean>) | null;
  readonly follow: boolean;
  readonly signal: AbortSignal;
  display(bytes: Uint8Array): Promise<void>;
}

export type ConsoleOutcome = { readonly because: "left" } | ConsoleEnd;

/** What was said before comes at once when a console opens; after so long without it, nothing of it will. */
const REPETITION_MS = 400;

export async function followConsole(settings: ConsoleSettings): Promise<ConsoleOutcome> {
  const over = new AbortController();
  const signal = AbortSignal.any([settings.signal, over.signal]);
  const seen = new SeenOutput();
  using keys = new Keys(settings);
  const left = Promise.race([keys.left, abortOf(settings.signal)]);
  try {
    for (let isFirst = true; ; isFirst = false) {
      const opening = isFirst ? settings.connect() : connectAgain(settings, signal);
      const opened = await Promise.race([opening, left]);
      if (opened === "left") {
        void opening.then(({ connection }) => connection[Symbol.asyncDispose](), ignore);
        return { because: "left" };
      }
      const { node, connection } = opened;
      await using _closed = connection;
      if (settings.keyboard.isTTY || !isFirst) settings.tell(greeting(settings, node, isFirst));
      if (!isFirst) seen.expectRepetition();
      keys.connect(connection);
      const end = await Promise.race([attend(settings, node, connection, seen, signal), left]);
      keys.disconnect();
      if (end === "left" || (end !== "moved" && end.because === "closed-by-us")) return { because: "left" };
      if (end === "moved") settings.tell(`${settings.vm} runs on another node now`);
      else if (!settings.follow || end.because === "refused" || end.because === "guest-off") return end;
      else settings.tell(`${end.message}; connecting again`);
    }
  } finally {
    over.abort();
  }
}

const ignore = (): void => {};

const abortOf = (signal: AbortSignal): Promise<"left"> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve("left");
    else signal.addEventListener("abort", () => resolve("left"), { once: true });
  });

function greeting({ vm, readonly, escapeKey, keyboard }: ConsoleSettings, node: string, first: boolean): string {
  const what = `${first ? "connected" : "connected again"} to ${vm} on ${node}${readonly ? ", read-only" : ""}`;
  const leave = first && keyboard.isTTY ? describeEscape(escapeKey) : null;
  return leave === null ? what : `${what}. ${leave}`;
}

/** Shows what comes until the connection ends, or the guest, being off here, is found on another node. */
async function attend(
  settings: ConsoleSettings,
  node: string,
  connection: ConsoleConnection,
  seen: SeenOutput,
  signal: AbortSignal,
): Promise<ConsoleEnd | "moved"> {
  const window = reportWindow(settings, connection);
  const off = { search: null as AbortController | null };
  const moved = Promise.withResolvers<"moved">();
  const onMessage = (message: ConsoleMessage) => {
    tellMessage(settings, message, window);
    if (message.type !== "event") return;
    off.search?.abort();
    off.search = message.event === "guest-off" ? new AbortController() : null;
    if (off.search === null || settings.hasMoved === null) return;
    void lookElsewhere(settings.hasMoved, node, AbortSignal.any([signal, off.search.signal])).then(
      (isElsewhere) => isElsewhere && moved.resolve("moved"),
    );
  };
  const shown = showPieces(settings, connection, seen, onMessage).then(() => connection.ended);
  try {
    return await Promise.race([shown, moved.promise]);
  } finally {
    off.search?.abort();
    window.stop();
  }
}

async function showPieces(
  settings: ConsoleSettings,
  connection: ConsoleConnection,
  seen: SeenOutput,
  onMessage: (message: ConsoleMessage) => void,
): Promise<void> {
  const release = () => void settings.display(seen.release());
  const patience = seen.isHolding ? setTimeout(release, REPETITION_MS) : null;
  try {
    for await (const piece of connection.pieces) {
      if (piece.kind === "bytes") await settings.display(seen.add(piece.bytes));
      else onMessage(piece.message);
    }
  } finally {
    if (patience !== null) clearTimeout(patience);
    if (seen.isHolding) await settings.display(seen.release());
  }
}

function tellMessage(settings: ConsoleSettings, message: ConsoleMessage, window: { tellResized(text: string): void }) {
  switch (message.type) {
    case "connected":
      if (message.readonly && !settings.readonly) settings.tell("read-only: your role may look, not type");
      break;
    case "event":
      settings.tell(
        message.event === "guest-off" ? `${message.message}; waiting until it runs again` : message.message,
      );
      break;
    case "resized":
      if (!message.applied) window.tellResized(message.message);
      break;
    case "error":
      settings.tell(message.message);
  }
}

/** Says at the beginning and at each change how large the window is. That it had no effect is told once, and only after a change. */
function reportWindow({ window, tell }: ConsoleSettings, connection: ConsoleConnection) {
  let changes = 0;
  let isTold = false;
  const report = () => {
    const size = window?.size();
    if (size !== undefined && size.cols > 0 && size.rows > 0) connection.request({ type: "resize", ...size });
  };
  const stop = window?.onChange(() => {
    changes++;
    report();
  });
  report();
  return {
    stop: () => stop?.(),
    tellResized(text: string) {
      if (changes > 0 && !isTold) tell(text);
      isTold = changes > 0;
    },
  };
}
