/**
 * Digests of values, the same on every machine: sha256 of the JSON with sorted keys. Pure JavaScript, because the core imports no
 * node: module; the shell may hand in its platform's own, which says the same ten times faster.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { byName, type Digest, digest } from "./names.ts";

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
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const record = value as Record<string, unknown>;
  const parts: string[] = [];
  for (const key of Object.keys(record).sort(byName)) {
    if (record[key] !== undefined) parts.push(`${JSON.stringify(key)}:${canonicalJson(record[key])}`);
  }
  return `{${parts.join(",")}}`;
}
