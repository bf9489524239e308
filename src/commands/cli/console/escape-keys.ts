/**
 * What is typed into a console, told apart: what is for the guest, and what is for us.
 *
 * A control key (`^]`) is ours wherever it is typed: the key after it says what is wanted, and twice sends it once.
 * A character (`~`) is ours only where a line begins, as with ssh; what follows it and means nothing goes to the guest with it.
 */
import { OdoroboError } from "../../../model/errors.ts";

export type EscapeKey =
  | { readonly kind: "control"; readonly byte: number; readonly text: string }
  | { readonly kind: "line-start"; readonly byte: number; readonly text: string }
  | { readonly kind: "none" };

export type KeyAct =
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** The escape key was pressed, or followed by a key that means nothing. */
  | { readonly kind: "help" }
  | { readonly kind: "leave" | "reset" | "tell-size" };

/** What telnet and virsh use: a key that no shell or editor in the guest needs. */
export const DEFAULT_ESCAPE = "^]";

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

/** Throws USAGE. */
export function parseEscapeKey(text: string): EscapeKey {
  if (text === "none") return { kind: "none" };
  const control = /^\^([@A-Za-z[\\\]^_])$/.exec(text)?.[1]?.toUpperCase();
  // The five low bits of a letter are its control key.
  const byte = control === undefined ? null : control.charCodeAt(0) & 0x1f;
  if (byte === CARRIAGE_RETURN || byte === LINE_FEED)
    throw new OdoroboError("USAGE", `--escape: ${text} is the Enter key`, { hint: "such as ^] or ^A" });
  if (byte !== null) return { kind: "control", byte, text: `Ctrl-${control}` };
  if (/^[!-~]$/.test(text)) return { kind: "line-start", byte: text.charCodeAt(0), text };
  throw new OdoroboError("USAGE", `--escape: ${JSON.stringify(text)} is not a key`, {
    hint: "a control key such as ^], a character such as ~ (at the beginning of a line), or none",
  });
}

/** For the first line and for help; null: there is no key. */
export function describeEscape(key: EscapeKey): string | null {
  switch (key.kind) {
    case "none":
      return null;
    case "control":
      return `${key.text} then . leaves, R resets the session, S tells the guest the window's size, ${key.text} again sends it`;
    case "line-start":
      return `Enter, then ${key.text}. leaves, ${key.text}R resets the session, ${key.text}S tells the guest the window's size, ${key.text}${key.text} sends ${key.text}`;
  }
}

/** A reader of all that is typed, in pieces as they come. What it returns is to be done in this order. */
export function createEscapeReader(key: EscapeKey): (bytes: Uint8Array) => readonly KeyAct[] {
  let isPrefixed = false;
  let isLineStart = true;
  return (bytes) => {
    if (key.kind === "none") return bytes.length === 0 ? [] : [{ kind: "send", bytes }];
    const acts: KeyAct[] = [];
    let plain: number[] = [];
    const act = (next: KeyAct) => {
      if (plain.length > 0) acts.push({ kind: "send", bytes: Uint8Array.from(plain) });
      plain = [];
      acts.push(next);
    };
    for (const byte of bytes) {
      const mayEscape = key.kind === "control" || isLineStart;
      if (isPrefixed) {
        isPrefixed = false;
        const meant = byte === key.byte ? null : meaningOf(byte, key);
        if (byte === key.byte) plain.push(byte);
        else if (meant !== null) act({ kind: meant });
        else if (key.kind === "control") act({ kind: "help" });
        else plain.push(key.byte, byte);
      } else if (byte === key.byte && mayEscape) {
        isPrefixed = true;
        if (key.kind === "control") act({ kind: "help" });
      } else plain.push(byte);
      isLineStart = byte === CARRIAGE_RETURN || byte === LINE_FEED;
    }
    if (plain.length > 0) acts.push({ kind: "send", bytes: Uint8Array.from(plain) });
    return acts;
  };
}

/** Small letters mean nothing after a character: `~root` and `~/bin` are what people type at a shell. */
function meaningOf(byte: number, key: EscapeKey): "leave" | "reset" | "tell-size" | "help" | null {
  const typed = String.fromCharCode(byte);
  switch (key.kind === "control" ? typed.toUpperCase() : typed) {
    case ".":
      return "leave";
    case "R":
      return "reset";
    case "S":
      return "tell-size";
    case "?":
      return "help";
    default:
      return null;
  }
}
