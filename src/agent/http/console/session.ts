/**
 * One viewer's WebSocket on a guest's serial line.
 *
 * Dialects: `plain` gets bytes and a close code when the guest is off. `following` stays, and is told in text frames what
 * happens. `compat` is what the Rust agent spoke: text frames for control, and the end when the guest is off.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { RawData, WebSocket } from "ws";
import { isOdoroboError } from "../../../model/errors.ts";
import type { VmName } from "../../../model/names.ts";
import type { Caller } from "../../../platform/http/door/caller.ts";
import type { Logger } from "../../../platform/logger.ts";
import { CONSOLE_CLOSE, type ConsoleMessage, parseConsoleRequest } from "../../../wire/console-protocol.ts";
import type { Console } from "../../console/console.ts";
import type { LineEvent, Viewer } from "../../console/viewer.ts";
import { boundReplies } from "./bounded-replies.ts";

export type Dialect = "plain" | "following" | "compat";

export interface Session {
  readonly name: VmName;
  readonly id: string;
  readonly console: Console;
  /** No guest runs: there are only its last words. */
  readonly isOff: boolean;
  readonly dialect: Dialect;
  readonly isReadonly: boolean;
  readonly caller: Caller;
  readonly onEnd: (session: SessionEnd) => void;
  readonly log: Logger;
}

export interface SessionEnd {
  readonly name: VmName;
  readonly caller: Caller;
  readonly isReadonly: boolean;
  readonly typedBytes: number;
}

/** Between the keys of a reset: a shell needs a moment to take each as its own. */
const KEY_PAUSE_MS = 75;
/** Ctrl-C, Return, Ctrl-D. */
const RESET_KEYS = ["\x03", "\r", "\x04"];

export function runSession(ws: WebSocket, session: Session): void {
  const { name, console, dialect, isReadonly } = session;
  let typedBytes = 0;
  let isResetting = false;
  /** Said once for each time that it is so: a person who goes on typing has understood. */
  let toldOf: "readonly" | "off" | null = null;

  const reply = boundReplies(ws);
  const tell = (message: ConsoleMessage | { type: "connected"; vm_id: string }) => {
    if (dialect !== "plain") ws.send(JSON.stringify(message), reply());
  };
  const isGone = () => ws.readyState !== ws.OPEN;
  const goOff = () => ws.close(CONSOLE_CLOSE.guestOff, `${name} is off`);
  /** What fails in here ends this viewer, not the agent or the guest's line that calls it. */
  const guarded =
    <Args extends unknown[]>(run: (...args: Args) => void) =>
    (...args: Args): void => {
      try {
        run(...args);
      } catch (error) {
        fail(error);
      }
    };
  const fail = (error: unknown) => {
    session.log.error({ err: error, vm: name }, "a viewer's console failed");
    ws.terminate();
  };
  const viewer: Viewer = {
    send: guarded((bytes, written) => ws.send(bytes, written)),
    backlog: () => ws.bufferedAmount,
    drop: () => ws.terminate(),
    tell: guarded((event) => {
      if (dialect === "following") {
        if (toldOf === "off") toldOf = null;
        tell({ type: "event", event, message: sentence(name, event) });
      } else if (event === "guest-off") goOff();
    }),
  };
  ws.on(
    "close",
    guarded(() => {
      console.remove(viewer);
      session.onEnd({ name, caller: session.caller, isReadonly, typedBytes });
    }),
  );
  ws.on(
    "message",
    guarded((data: RawData, isBinary: boolean) => {
      const bytes = Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
      // Who gets no text frames sends none: its text is what is typed.
      if (isBinary || dialect === "plain") type(bytes);
      else control(bytes.toString());
    }),
  );
  begin().catch(fail);

  async function begin(): Promise<void> {
    // Exactly as the Rust agent said it, where its clients ask; they know of no read-only consoles.
    if (dialect === "compat" && !isReadonly) tell({ type: "connected", vm_id: session.id });
    else tell({ type: "connected", vm_id: session.id, readonly: isReadonly });
    try {
      await console.add(viewer, () => !isGone());
      if (!session.isOff) return;
      if (dialect === "following") tell({ type: "event", event: "guest-off", message: sentence(name, "guest-off") });
      else goOff();
    } catch (error) {
      const message = isOdoroboError(error) ? error.message : "the console failed";
      tell({ type: "error", message });
      ws.close(CONSOLE_CLOSE.refused, message);
    }
  }

  function type(bytes: Buffer): void {
    if (isReadonly) {
      refuse("readonly", "this console is read-only: nothing that is typed reaches the guest");
      return;
    }
    typedBytes += bytes.length;
    const outcome = console.write(bytes);
    if (outcome === "off") refuse("off", `${name} is off: nothing that is typed reaches it`);
    if (outcome !== "wait") return;
    ws.pause();
    console.onWritable(() => ws.resume());
  }

  function refuse(why: "readonly" | "off", message: string): void {
    if (toldOf === why) return;
    toldOf = why;
    if (dialect !== "plain") tell({ type: "error", message });
    else if (why === "readonly") ws.close(CONSOLE_CLOSE.refused, "this console is read-only");
  }

  function control(text: string): void {
    const request = parseConsoleRequest(text);
    switch (request.type) {
      case "invalid":
        tell({ type: "error", message: request.why });
        return;
      case "resize":
        // The Rust agent said nothing to a resize that it took.
        if (dialect === "following") tell({ type: "resized", applied: false, message: NO_SIZE });
        return;
      case "reset_session":
        if (isReadonly) refuse("readonly", "this console is read-only: its session cannot be reset");
        else if (!isResetting) reset().catch(fail);
    }
  }

  async function reset(): Promise<void> {
    isResetting = true;
    for (const [index, key] of RESET_KEYS.entries()) {
      if (index > 0) await sleep(KEY_PAUSE_MS, undefined, { ref: false });
      if (isGone()) break;
      type(Buffer.from(key));
    }
    isResetting = false;
  }
}

const NO_SIZE = "a serial line has no window size: in the guest, stty rows and cols (or resize) tell it";

function sentence(name: VmName, event: LineEvent): string {
  switch (event) {
    case "guest-off":
      return `${name} is off`;
    case "guest-started":
      return `${name} runs`;
    case "rebooted":
      return `${name} has rebooted`;
    case "line-lost":
      return `the hypervisor of ${name} serves its serial line no longer: reboot it to have one again`;
  }
}
