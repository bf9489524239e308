/**
 * The YAML that nearly all manifests are written in, in one pass over the text: block maps and lists, literal texts, and what stands on
 * a line (`plain-line.ts`).
 *
 *   parse-file.ts → [plain-yaml.ts], and for all else the yaml library and to-value.ts
 *
 * The library keeps each token of a text, which is most of the time and memory of the first plan of a large fleet. Invariant: what
 * is read here is read by the library without a complaint, to the same values at the same places
 * (test/manifest/plain-yaml.property.test.ts). Whatever is not surely so is not read here, mistakes first of all.
 */
import { PlacesWriter } from "./places.ts";
import { isLineEnd, NOT_PLAIN, PlainLine } from "./plain-line.ts";
import type { ReadValue } from "./to-value.ts";

/** Its documents; null: the library must read it. */
export function readPlainYaml(text: string): ReadValue[] | null {
  if (HAS_ODD_CHARACTERS.test(text)) return null;
  try {
    return new PlainText(text).documents();
  } catch (error) {
    if (error !== NOT_PLAIN) throw error;
    return null;
  }
}

/** Tabs, other line ends, marks of any kind, blanks that are no spaces. */
const HAS_ODD_CHARACTERS = /(?![\n ])[\p{C}\p{Z}]/u;

/** Far below the depth at which deep nesting is a mistake. */
const MAX_DEPTH = 30;

const [NEWLINE, SPACE, HASH, DASH, BAR, DOT] = [10, 32, 35, 45, 124, 46];
/** In no column: the document ends here. */
const ENDS = -1;

class PlainText {
  readonly #text: string;
  readonly #line: PlainLine;
  #places = new PlacesWriter();
  #at = 0;
  /** Of what stands at `#at`, the first thing of its line that is no comment. */
  #column = ENDS;

  constructor(text: string) {
    this.#text = text;
    this.#line = new PlainLine(text);
  }

  documents(): ReadValue[] {
    const found: ReadValue[] = [];
    this.#toNextLine();
    if (this.#column === ENDS) this.#passMarker();
    for (;;) {
      if (this.#column !== 0) throw NOT_PLAIN;
      this.#places = new PlacesWriter();
      this.#line.places = this.#places;
      this.#places.add(this.#at, this.#at, this.#at, this.#at);
      const value = this.#map(0, 0);
      found.push({ value, places: this.#places.toString(), problems: [] });
      if (this.#at === this.#text.length) return found;
      this.#passMarker();
    }
  }

  /** Stands at its first key, and ends at the first line that is not its own. */
  #map(column: number, depth: number): Record<string, unknown> {
    if (depth > MAX_DEPTH) throw NOT_PLAIN;
    const map: Record<string, unknown> = {};
    while (this.#column === column) {
      const keyStart = this.#at;
      const key = this.#line.keyAt(keyStart);
      if (key === null || Object.hasOwn(map, key)) throw NOT_PLAIN;
      const keyEnd = keyStart + key.length;
      this.#at = this.#afterSpaces(keyEnd + 1);
      map[key] = this.#valueOf(keyStart, keyEnd, column, depth + 1);
    }
    if (this.#column > column) throw NOT_PLAIN;
    return map;
  }

  #valueOf(keyStart: number, keyEnd: number, column: number, depth: number): unknown {
    const first = this.#text.charCodeAt(this.#at);
    if (first === BAR) return this.#literal(keyStart, keyEnd, column);
    if (!isLineEnd(first) && first !== HASH) return this.#inline(keyStart, keyEnd, depth);
    this.#endLine();
    const isList = this.#column >= column && this.#isItem();
    if (!isList && this.#column <= column) {
      this.#places.add(keyStart, keyEnd, keyEnd, keyEnd);
      return null;
    }
    this.#places.add(keyStart, keyEnd, this.#at, this.#at);
    return isList ? this.#list(this.#column, depth) : this.#map(this.#column, depth);
  }

  #list(column: number, depth: number): unknown[] {
    if (depth > MAX_DEPTH) throw NOT_PLAIN;
    const list: unknown[] = [];
    while (this.#column === column && this.#isItem()) {
      const start = this.#afterSpaces(this.#at + 1);
      const itemColumn = column + start - this.#at;
      this.#at = start;
      if (this.#line.keyAt(start) === null) list.push(this.#inline(start, start, depth + 1));
      else {
        this.#column = itemColumn;
        this.#places.add(start, start, start, start);
        list.push(this.#map(itemColumn, depth + 1));
      }
    }
    if (this.#column > column) throw NOT_PLAIN;
    return list;
  }

  #inline(keyStart: number, keyEnd: number, depth: number): unknown {
    const value = this.#line.valueAt(this.#at, keyStart, keyEnd, depth);
    this.#at = this.#line.end;
    this.#endLine();
    return value;
  }

  /** `|` and `|-`: a text of lines that are all indented further than `column`. */
  #literal(keyStart: number, keyEnd: number, column: number): string {
    const text = this.#text;
    const start = this.#at;
    const isStripped = text.charCodeAt(start + 1) === DASH;
    const header = isStripped ? start + 2 : start + 1;
    if (text.charCodeAt(header) !== NEWLINE) throw NOT_PLAIN;
    let begun = header + 1;
    while (text.charCodeAt(begun) === NEWLINE) begun++;
    const indent = this.#afterSpaces(begun) - begun;
    if (indent <= column || isLineEnd(text.charCodeAt(begun + indent))) throw NOT_PLAIN;
    let value = "\n".repeat(begun - header - 1);
    let blanks = "";
    let end = begun;
    for (let at = begun; at < text.length; ) {
      const lineEnd = text.indexOf("\n", at);
      const written = this.#afterSpaces(at);
      if (written - at < indent && text.charCodeAt(written) !== NEWLINE) {
        // A comment in between belongs to the text for some readers.
        if (text.charCodeAt(written) === HASH && written - at > column) throw NOT_PLAIN;
        break;
      }
      if (lineEnd === -1) throw NOT_PLAIN;
      if (written === lineEnd) {
        if (written - at > indent) throw NOT_PLAIN;
        blanks += "\n";
      } else {
        value += `${blanks}${text.slice(at + indent, lineEnd)}\n`;
        blanks = "";
        end = lineEnd + 1;
      }
      at = lineEnd + 1;
    }
    this.#places.add(keyStart, keyEnd, start, end);
    this.#at = end;
    this.#toNextLine();
    return isStripped ? value.slice(0, -1) : value;
  }

  #isItem(): boolean {
    return this.#text.charCodeAt(this.#at) === DASH && this.#text.charCodeAt(this.#at + 1) === SPACE;
  }

  #passMarker(): void {
    const end = this.#afterSpaces(this.#at + 3);
    if (this.#at === this.#text.length || !isLineEnd(this.#text.charCodeAt(end))) throw NOT_PLAIN;
    this.#at = end + 1;
    this.#toNextLine();
  }

  /** Nothing more stands on this line but a comment. */
  #endLine(): void {
    const text = this.#text;
    const end = this.#afterSpaces(this.#at);
    const next = text.charCodeAt(end);
    if (next === HASH && text.charCodeAt(end - 1) === SPACE) this.#at = this.#lineAfter(end);
    else if (isLineEnd(next)) this.#at = end + 1;
    else throw NOT_PLAIN;
    this.#toNextLine();
  }

  /** From the beginning of a line to the next thing that is written. */
  #toNextLine(): void {
    const text = this.#text;
    for (;;) {
      const at = this.#afterSpaces(this.#at);
      const first = text.charCodeAt(at);
      if (Number.isNaN(first)) {
        this.#at = text.length;
        this.#column = ENDS;
        return;
      }
      if (first === NEWLINE) this.#at = at + 1;
      else if (first === HASH) this.#at = this.#lineAfter(at);
      else {
        this.#column = at - this.#at;
        this.#at = at;
        if (this.#column > 0 || (first !== DASH && first !== DOT)) return;
        if (first === DOT) throw NOT_PLAIN;
        if (text.startsWith("---", at) && isLineEndOrSpace(text.charCodeAt(at + 3))) this.#column = ENDS;
        return;
      }
    }
  }

  #lineAfter(at: number): number {
    const end = this.#text.indexOf("\n", at);
    return end === -1 ? this.#text.length : end + 1;
  }

  #afterSpaces(at: number): number {
    let end = at;
    while (this.#text.charCodeAt(end) === SPACE) end++;
    return end;
  }
}

const isLineEndOrSpace = (code: number): boolean => code === SPACE || isLineEnd(code);
