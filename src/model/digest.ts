/**
 * Digests of values, the same on every machine: sha256 of the JSON with sorted keys. Pure JavaScript, because the core imports no
 * node: module; the shell may hand in its platform's own, which says the same ten times faster.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { type Digest, digest } from "./names.ts";

type Sha256 = (text: string) => string;

let sha256Hex: Sha256 = (text) => bytesToHex(sha256(utf8ToBytes(text)));

/** `hex`: of the text's UTF-8, in lower case. Whoever hands in something else breaks every digest that agents keep. */
export function digestWith(hex: Sha256): void {
  sha256Hex = hex;
}

export const digestOfText = (text: string): Digest => digest(sha256Hex(text));

export const digestOf = (value: unknown): Digest => digestOfText(canonicalJson(value));

/** JSON with keys in code-unit order and no white space; `undefined` properties are left out, as JSON.stringify does. */
export function canonicalJson(value: unknown): string {
  if (isLarge(value)) return writeByHand(value);
  const sorted = withSortedKeys(value);
  return sorted === OWN_ORDER ? writeByHand(value) : (JSON.stringify(sorted) ?? "null");
}

/** It, or a part of it, has so many parts that a second copy of them all would cost memory: they are written one by one. */
const isLarge = (value: unknown): boolean =>
  partsOf(value).length > MANY || partsOf(value).some((part) => partsOf(part).length > MANY);
const MANY = 256;

const partsOf = (value: unknown): readonly unknown[] =>
  typeof value !== "object" || value === null ? [] : Array.isArray(value) ? value : Object.values(value);

/** Objects put keys that are numbers first, whatever the order in which they are given, and take `__proto__` for something else. */
const OWN_ORDER = Symbol("an object would not keep this order");

/** The platform writes a whole value three times as fast as we write it piece by piece. */
function withSortedKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map(withSortedKeys);
    return items.includes(OWN_ORDER) ? OWN_ORDER : items;
  }
  const sorted: Record<string, unknown> = {};
  for (const key of Object.keys(value).sort()) {
    const first = key.charCodeAt(0);
    if ((first >= ZERO && first <= NINE) || key === "__proto__") return OWN_ORDER;
    const item = withSortedKeys((value as Record<string, unknown>)[key]);
    if (item === OWN_ORDER) return OWN_ORDER;
    sorted[key] = item;
  }
  return sorted;
}

const ZERO = 48;
const NINE = 57;

function writeByHand(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const record = value as Record<string, unknown>;
  const parts: string[] = [];
  for (const key of Object.keys(record).sort())
    if (record[key] !== undefined) parts.push(`${JSON.stringify(key)}:${canonicalJson(record[key])}`);
  return `{${parts.join(",")}}`;
}
