/** Values of fields as a person writes them: sizes with units, durations, and of two objects only what differs. */
import { byName } from "../../model/names.ts";
import { safeLine } from "./safe-text.ts";

/** `512 MiB`, `4 GiB` */
export const showMiB = (mib: number): string => (mib >= 1024 && mib % 1024 === 0 ? `${mib / 1024} GiB` : `${mib} MiB`);

/** As `showMiB`, rounded where a host has odd bytes: `23.5 GiB`. */
export const showRoughMiB = (mib: number): string =>
  mib < 10_240 ? showMiB(mib) : `${Number((mib / 1024).toFixed(1))} GiB`;

/** `90 s`, `10 min`, `7 d`: the largest unit that divides it. */
export function showSeconds(seconds: number): string {
  for (const [unit, size] of [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
  ] as const) {
    if (seconds >= size && seconds % size === 0) return `${seconds / size} ${unit}`;
  }
  return `${seconds} s`;
}

/** `42 ms`, `3.2 s`, `4 min 12 s`: how long something took. */
export function showMilliseconds(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1_000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1_000);
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Fields of the table in `model/fields.ts` whose path does not tell the unit. */
const IN_MIB = new Set(["memory.size", "memory.max"]);
const IN_SECONDS = new Set(["retain.disks", "shutdownGrace"]);
const LONGEST = 120;

export function showValue(path: string, value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "number") {
    if (IN_MIB.has(path) || path.endsWith("MiB")) return showMiB(value);
    if (IN_SECONDS.has(path) || path.endsWith("Seconds")) return showSeconds(value);
    if (path.endsWith("Ms")) return `${value} ms`;
    return String(value);
  }
  if (typeof value === "string")
    return shorten(/^[^\s"]+$/.test(value) ? safeLine(value) : safeLine(JSON.stringify(value)));
  if (typeof value === "object") return shorten(showObject(value));
  return String(value);
}

function showObject(value: object): string {
  if (Array.isArray(value))
    return value.length === 0 ? "none" : `[${value.map((item) => showValue("", item)).join(", ")}]`;
  const parts = Object.entries(value).map(([key, item]) => `${showKey(key)}: ${showValue(key, item)}`);
  return parts.length === 0 ? "none" : `{${parts.join(", ")}}`;
}

const shorten = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);

/** The unit is in the value already. */
const showKey = (key: string): string => safeLine(key.replace(/(MiB|Seconds|Ms)$/, ""));

/** `memory.size: 4 GiB → 8 GiB`: one line for each part that differs. */
export function showDifference(path: string, from: unknown, to: unknown): string[] {
  if (isRecord(from) && isRecord(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort(byName);
    return keys.flatMap((key) =>
      JSON.stringify(from[key]) === JSON.stringify(to[key]) ? [] : showDifference(`${path}.${key}`, from[key], to[key]),
    );
  }
  return [`${showPath(path)}: ${showValue(path, from)} → ${showValue(path, to)}`];
}

function showPath(path: string): string {
  const dot = path.lastIndexOf(".");
  return safeLine(path.slice(0, dot + 1)) + showKey(path.slice(dot + 1));
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
