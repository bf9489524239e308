/**
 * What agent and console viewer agree on. Binary frames are the serial line's own bytes, both ways.
 *
 * Who asks for `?follow=1` stays when the guest goes off, and is told in text frames what happens; who does not gets bytes
 * only, and a close code when the guest is off. `?readonly=1`: may look, not type.
 */

/** Why the agent ended a console: WebSocket close codes. From 4000 on they are ours. */
export const CONSOLE_CLOSE = {
  /** The guest is off, or has just gone off. */
  guestOff: 4001,
  /** "Going away", as RFC 6455 has it: the agent stops, the guest goes on. */
  agentStopping: 1001,
  /** "Policy violation": it typed into a console that it may only read and takes no text frames, or too many look already. */
  refused: 1008,
} as const;

/** Agent to viewer, in text frames, to those who follow. */
export type ConsoleMessage =
  /** The first frame. */
  | { readonly type: "connected"; readonly vm_id: string; readonly readonly: boolean }
  | { readonly type: "event"; readonly event: ConsoleEvent; readonly message: string }
  /** The answer to `resize`: what became of it. */
  | { readonly type: "resized"; readonly applied: boolean; readonly message: string }
  /** What was asked for was not done; the session goes on. */
  | { readonly type: "error"; readonly message: string };

export const CONSOLE_EVENTS = ["guest-off", "guest-started", "rebooted", "line-lost"] as const;
export type ConsoleEvent = (typeof CONSOLE_EVENTS)[number];

/** Viewer to agent, in text frames. */
export type ConsoleRequest =
  | { readonly type: "resize"; readonly cols: number; readonly rows: number }
  /** Ctrl-C, Return, Ctrl-D, with a moment in between: out of whatever runs, and logged out. */
  | { readonly type: "reset_session" };

export interface ConsoleOptions {
  readonly follow: boolean;
  readonly readonly: boolean;
}

export function consoleQuery({ follow, readonly }: ConsoleOptions): string {
  const asked = [...(follow ? ["follow=1"] : []), ...(readonly ? ["readonly=1"] : [])];
  return asked.length === 0 ? "" : `?${asked.join("&")}`;
}

/** Null for what is none of ours: a newer agent may say more. */
export function parseConsoleMessage(text: string): ConsoleMessage | null {
  const value = parseObject(text);
  if (value === null) return null;
  const message = typeof value.message === "string" ? value.message : "";
  switch (value.type) {
    case "connected":
      return typeof value.vm_id === "string"
        ? { type: "connected", vm_id: value.vm_id, readonly: value.readonly === true }
        : null;
    case "event": {
      const event = CONSOLE_EVENTS.find((each) => each === value.event);
      return event === undefined ? null : { type: "event", event, message };
    }
    case "resized":
      return { type: "resized", applied: value.applied === true, message };
    case "error":
      return { type: "error", message };
    default:
      return null;
  }
}

/** The request, or what is wrong with it. */
export function parseConsoleRequest(text: string): ConsoleRequest | { readonly type: "invalid"; readonly why: string } {
  const value = parseObject(text);
  if (value?.type === "reset_session") return { type: "reset_session" };
  if (value?.type !== "resize") return { type: "invalid", why: RESERVED };
  const { cols, rows } = value;
  if (!isCellCount(cols) || !isCellCount(rows))
    return { type: "invalid", why: "resize needs cols and rows, each from 1 to 65535" };
  return { type: "resize", cols, rows };
}

const RESERVED =
  'Text frames are for control messages in JSON, such as {"type":"resize","cols":80,"rows":24}; send what is typed in binary frames';

const isCellCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535;

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
