/** Names of units and of their objects on the bus. Pure. */
import { createHash } from "node:crypto";

/** UNIT_NAME_MAX of systemd, the NUL included. */
const MAX_UNIT_NAME = 255;
const MAX_INSTANCE = 160;

/**
 * `odorobo-ch@web-1.service`. The instance is escaped as systemd-escape does it, but for the dash, which units may have
 * and people type: no path is ever meant, so nothing else becomes one. Different names never give the same unit.
 */
export function unitName(prefix: string, kind: string, name: string): string {
  const unit = `${prefix}-${kind}@${shorten(escapeInstance(name), name)}.service`;
  if (unit.length >= MAX_UNIT_NAME) throw new Error(`${prefix}-${kind} is too long for the name of a unit`);
  return unit;
}

/** As systemd-escape, with the dash kept and the slash escaped like all else: letters, digits and `:_.-` stand for themselves. */
export function escapeInstance(name: string): string {
  let escaped = "";
  for (const byte of Buffer.from(name, "utf8")) {
    const character = String.fromCharCode(byte);
    const isPlain = /[A-Za-z0-9:_.-]/.test(character) && !(character === "." && escaped === "");
    escaped += isPlain ? character : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return escaped === "" ? "\\x00" : escaped;
}

/** What is too long ends in a digest of all of it, behind an @ as no escaped name has one. */
function shorten(escaped: string, name: string): string {
  if (escaped.length <= MAX_INSTANCE) return escaped;
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 32);
  // Not in the middle of an escape.
  const head = escaped.slice(0, MAX_INSTANCE - digest.length - 1).replace(/\\x?[0-9a-f]?$/, "");
  return `${head}@${digest}`;
}

/** `/org/freedesktop/systemd1/unit/web_2eservice`: as sd_bus_path_encode writes it. */
export const unitPath = (unit: string): string =>
  `/org/freedesktop/systemd1/unit/${[...Buffer.from(unit, "utf8")]
    .map((byte, index) => {
      const character = String.fromCharCode(byte);
      const isPlain = /[A-Za-z0-9]/.test(character) && !(index === 0 && /[0-9]/.test(character));
      return isPlain ? character : `_${byte.toString(16).padStart(2, "0")}`;
    })
    .join("")}`;
