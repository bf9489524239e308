/**
 * What stands on one line of plain YAML: keys, words and numbers, quoted texts, and flow maps and lists that end on it. A part of
 * `plain-yaml.ts`, whose invariant holds here too.
 */
import type { PlacesWriter } from "./places.ts";

/** Thrown, and caught by `readPlainYaml`: this is for the yaml library. No error: it would cost a stack for each such text. */
export const NOT_PLAIN: unique symbol = Symbol("not plain YAML");

/** Also of the text. */
export const isLineEnd = (code: number): boolean => code === 10 || Number.isNaN(code);

/** A word, as labels have it, and its colon. Not what YAML takes for null, which is no key. */
const KEY = /(?!(?:null|Null|NULL):)[A-Za-z][A-Za-z0-9_./-]{0,200}(?=:(?:[ \n]|$))/y;
/** Of a line, up to a comment; a colon at the end of a word would make it a key. */
const WORDS = /[A-Za-z0-9/._~$(\u00a1-\uffff](?:[^\n:# ]+|:(?![ \n]|$)|(?<! )#| (?!#))*/y;
/** The same in a flow map or list. */
const FLOW_WORDS = /[A-Za-z0-9/._~$(\u00a1-\uffff](?:[^\n:#,[\]{}"']+|:(?![ \n,[\]{}]|$))*/y;
/** With those escapes that mean the same in JSON. */
const DOUBLE_QUOTED = /"(?:[^"\\\n]|\\["\\/nrt])*"/y;
const SINGLE_QUOTED = /'(?:[^'\n]|'')*'/y;

const [SPACE, DOUBLE, SINGLE, COMMA, LIST, LIST_END, MAP, MAP_END] = [32, 34, 39, 44, 91, 93, 123, 125];
const MAX_DEPTH = 30;

export class PlainLine {
  readonly #text: string;
  places: PlacesWriter | null = null;
  /** Behind what was read last. */
  end = 0;

  constructor(text: string) {
    this.#text = text;
  }

  keyAt(at: number): string | null {
    return this.#match(KEY, at);
  }

  valueAt(at: number, keyStart: number, keyEnd: number, depth: number): unknown {
    return this.#value(at, keyStart, keyEnd, depth, WORDS);
  }

  #value(at: number, keyStart: number, keyEnd: number, depth: number, words: RegExp): unknown {
    const first = this.#text.charCodeAt(at);
    if (first === MAP || first === LIST) {
      if (depth > MAX_DEPTH) throw NOT_PLAIN;
      const place = this.places?.add(keyStart, keyEnd, at, at) ?? 0;
      const value = first === MAP ? this.#flowMap(at, depth) : this.#flowList(at, depth);
      this.places?.setEnd(place, this.end);
      return value;
    }
    const value = first === DOUBLE || first === SINGLE ? this.#quoted(at, first) : this.#plain(at, words);
    this.places?.add(keyStart, keyEnd, at, this.end);
    return value;
  }

  #quoted(at: number, quote: number): string {
    const written = this.#match(quote === DOUBLE ? DOUBLE_QUOTED : SINGLE_QUOTED, at);
    if (written === null) throw NOT_PLAIN;
    this.end = at + written.length;
    if (quote === DOUBLE) return written.includes("\\") ? JSON.parse(written) : written.slice(1, -1);
    return written.slice(1, -1).replaceAll("''", "'");
  }

  #plain(at: number, words: RegExp): unknown {
    const matched = this.#match(words, at);
    if (matched === null) throw NOT_PLAIN;
    const written = matched.trimEnd();
    this.end = at + written.length;
    return meaningOf(written);
  }

  #flowMap(start: number, depth: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    let at = this.#afterSpaces(start + 1);
    if (this.#text.charCodeAt(at) === MAP_END) this.end = at + 1;
    else
      for (let isOpen = true; isOpen; ) {
        const key = this.keyAt(at);
        const keyEnd = at + (key?.length ?? 0);
        if (key === null || Object.hasOwn(map, key) || this.#text.charCodeAt(keyEnd + 1) !== SPACE) throw NOT_PLAIN;
        map[key] = this.#value(this.#afterSpaces(keyEnd + 1), at, keyEnd, depth + 1, FLOW_WORDS);
        isOpen = this.#goesOn(MAP_END);
        at = this.end;
      }
    return map;
  }

  #flowList(start: number, depth: number): unknown[] {
    const list: unknown[] = [];
    let at = this.#afterSpaces(start + 1);
    if (this.#text.charCodeAt(at) === LIST_END) this.end = at + 1;
    else
      for (let isOpen = true; isOpen; ) {
        list.push(this.#value(at, at, at, depth + 1, FLOW_WORDS));
        isOpen = this.#goesOn(LIST_END);
        at = this.end;
      }
    return list;
  }

  /** Past the comma to what follows it, or past the end. */
  #goesOn(close: number): boolean {
    const at = this.#afterSpaces(this.end);
    const next = this.#text.charCodeAt(at);
    if (next !== COMMA && next !== close) throw NOT_PLAIN;
    this.end = next === COMMA ? this.#afterSpaces(at + 1) : at + 1;
    return next === COMMA;
  }

  #match(what: RegExp, at: number): string | null {
    what.lastIndex = at;
    return what.exec(this.#text)?.[0] ?? null;
  }

  #afterSpaces(at: number): number {
    let end = at;
    while (this.#text.charCodeAt(end) === SPACE) end++;
    return end;
  }
}

const COUNT = /^(?:0|[1-9][0-9]{0,14})$/;
const FRACTION = /^[0-9]{1,9}\.[0-9]{1,9}$/;
/** Wider than what YAML's core schema takes for numbers. */
const LIKE_A_NUMBER = /^(?:[0-9.]+(?:[eE][-+]?[0-9]*)?|0[xXoO][0-9A-Fa-f]*|\.(?:inf|nan))$/i;

/** By YAML's core schema. */
function meaningOf(words: string): unknown {
  switch (words) {
    case "true":
    case "True":
    case "TRUE":
      return true;
    case "false":
    case "False":
    case "FALSE":
      return false;
    case "null":
    case "Null":
    case "NULL":
    case "~":
      return null;
    default: {
      const first = words.charCodeAt(0);
      // A digit or a dot; a slash does not matter.
      if (first < 46 || first > 57) return words;
      if (COUNT.test(words) || FRACTION.test(words)) return Number(words);
      if (LIKE_A_NUMBER.test(words)) throw NOT_PLAIN;
      return words;
    }
  }
}
