/**
 * A terminal for a guest's serial line, over the gateway's WebSocket: binary frames are the line's own bytes, text frames are what is
 * said about it (`wire/console-protocol.ts`).
 */
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { CONSOLE_CLOSE, consoleQuery, parseConsoleMessage } from "../../wire/console-protocol.ts";
import type { ConsoleState } from "./console-state.ts";
import { openStrictly } from "./strict-document.ts";
import { followColours } from "./terminal-colours.ts";

export interface OpenConsole {
  close(): void;
}

export interface ConsoleOptions {
  readonly path: string;
  readonly vm: string;
  readonly mayType: boolean;
  readonly onState: (state: ConsoleState) => void;
}

/** Once a guest's terminal has the size of this window, what runs in it fills it. Not asked for at each pixel of a drag. */
const RESIZED_MS = 200;
const SCROLLBACK_LINES = 5_000;

export function openConsole(place: HTMLElement, { path, vm, mayType, onState }: ConsoleOptions): OpenConsole {
  const terminal = new Terminal({
    cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    disableStdin: !mayType,
    fontFamily: 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
    fontSize: 13,
    scrollback: SCROLLBACK_LINES,
    screenReaderMode: false,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  openStrictly((strict) => {
    terminal.options.documentOverride = strict;
    terminal.open(place);
  });
  terminal.textarea?.setAttribute("aria-label", `Console of ${vm}`);
  const colours = followColours(terminal);
  fit.fit();

  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const query = consoleQuery({ follow: true, readonly: !mayType });
  const socket = new WebSocket(`${scheme}//${location.host}${path}${query}`);
  socket.binaryType = "arraybuffer";
  let state: ConsoleState = { kind: "opening", readonly: !mayType, message: null };
  const become = (part: Partial<ConsoleState>): void => {
    state = { ...state, ...part };
    onState(state);
  };
  const isOpen = (): boolean => socket.readyState === WebSocket.OPEN;
  const tellSize = (): void => {
    if (isOpen() && !state.readonly)
      socket.send(JSON.stringify({ type: "resize", cols: terminal.cols, rows: terminal.rows }));
  };
  socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data !== "string") {
      terminal.write(new Uint8Array(data));
      return;
    }
    const message = parseConsoleMessage(data);
    if (message?.type === "connected") {
      terminal.options.disableStdin = message.readonly;
      become({ kind: "open", readonly: message.readonly });
      tellSize();
      if (!message.readonly) terminal.focus();
    }
    if (message?.type === "event")
      become({ kind: message.event === "guest-off" ? "guest-off" : "open", message: message.message });
    if (message?.type === "error") become({ message: message.message });
  });
  socket.addEventListener("close", ({ code, reason }) =>
    become({ kind: "closed", message: reason !== "" ? reason : (CLOSED[code] ?? null) }),
  );
  const encoder = new TextEncoder();
  terminal.onData((text) => {
    if (isOpen() && !state.readonly) socket.send(encoder.encode(text));
  });
  terminal.onBinary((text) => {
    if (isOpen() && !state.readonly) socket.send(Uint8Array.from(text, (sign) => sign.charCodeAt(0)));
  });
  // Tab belongs to the guest: there has to be another way out.
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.key !== "Escape" || !event.ctrlKey || !event.shiftKey) return true;
    if (event.type === "keydown") document.querySelector<HTMLElement>('.vm nav.tabs [aria-current="page"]')?.focus();
    return false;
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watcher = new ResizeObserver(() => {
    fit.fit();
    clearTimeout(timer);
    timer = setTimeout(tellSize, RESIZED_MS);
  });
  watcher.observe(place);
  return {
    close() {
      clearTimeout(timer);
      watcher.disconnect();
      colours.abort();
      socket.close(1000);
      terminal.dispose();
    },
  };
}

const CLOSED: Readonly<Record<number, string>> = {
  [CONSOLE_CLOSE.guestOff]: "the guest is off",
  [CONSOLE_CLOSE.agentStopping]: "its agent stops; the guest goes on",
  [CONSOLE_CLOSE.refused]: "the agent refused it",
};
