/**
 * A line of a manifest as it may be shown below a diagnostic. Cloud-init data holds passwords and keys, and where its
 * indentation or a key is wrong YAML no longer knows that a line belongs to it: so this looks at the line and the ones it
 * stands below as a person would, shows what is known to be harmless where it stands, and `…` for all else.
 */
import type { Diagnostic } from "./diagnostic.ts";
import { childNodes, isHarmless, isOwnWord, itemNodes, type Nodes, nearWord, rootNodes } from "./harmless.ts";

export interface ShownLine {
  readonly text: string;
  /** Column of the line, from 0 → column of what is shown. */
  columnOf(column: number): number;
}

/** Null when nothing of it can be shown. */
export function showLine(
  lines: readonly string[],
  index: number,
  { code }: Pick<Diagnostic, "code">,
): ShownLine | null {
  // Not ours, so nobody knows what is in it.
  if (code === "not-a-manifest" || !lines.some((line) => line.includes("odorobo.dev/"))) return null;
  const nodes = nodesAround(lines, index);
  if (nodes === null) return null;
  const scan = new Scan((lines[index] ?? "").slice(0, MAX_WIDTH), nodes);
  scan.run();
  return scan.hasWords ? scan.result((lines[index] ?? "").length > MAX_WIDTH) : null;
}

/** A line of a minified file would fill the screen. */
const MAX_WIDTH = 240;

/** The schemas that a line's first key is looked up in, as far as indentation tells; null when it may be part of a text. */
function nodesAround(lines: readonly string[], index: number): Nodes | null {
  const steps: (string | "item")[][] = [];
  let indent = indentOf(lines[index] ?? "");
  const isItem = /^\s*-(\s|$)/.test(lines[index] ?? "");
  for (let above = index - 1; above >= 0 && (indent > 0 || isItem); above--) {
    const line = lines[above] ?? "";
    if (/^(---|\.\.\.)(\s|$)/.test(line)) break;
    if (line.trim() === "" || line.trimStart().startsWith("#")) continue;
    const [, spaces = "", dashes = "", rest = ""] = /^(\s*)((?:-\s+)*)(.*)$/.exec(line.slice(0, MAX_WIDTH)) ?? [];
    const own = spaces.length;
    const content = own + dashes.length;
    // A list may stand in the column of its key.
    const mayHoldItem = isItem && steps.length === 0 && own === indent && dashes === "" && !/^-/.test(rest);
    if (own >= indent && !mayHoldItem) continue;
    const step: (string | "item")[] = [];
    for (let i = 0; i < dashes.split("-").length - 1; i++) step.push("item");
    if (content < indent || mayHoldItem) {
      const [, , key, value = ""] = KEY_LINE.exec(rest) ?? [];
      if (key === undefined) {
        if (!/^[[{]\s*$/.test(rest)) return null;
        if (rest.startsWith("[")) step.push("item");
      } else if (value === "" || value.startsWith("#") || value.startsWith("{")) step.push(key);
      else if (value.startsWith("[")) step.push(key, "item");
      else return null;
    }
    steps.push(step);
    indent = own;
    if (mayHoldItem && own === 0) break;
  }
  let nodes: Nodes = rootNodes();
  for (const step of steps.reverse().flat()) nodes = step === "item" ? itemNodes(nodes) : childNodes(nodes, step);
  return nodes;
}

const KEY_LINE = /^(["']?)([^"'\s:{}[\],#&*!|>%@`][^"':{}[\],#]{0,80}?)\1\s*:(?:\s+(.*)|\s*)$/;
const KEY = /^(["']?)([^"'\s:{}[\],#&*!|>%@`][^"':{}[\],#]{0,80}?)\1\s*:(?=\s|$|["'{[])/;

const indentOf = (line: string): number => line.length - line.trimStart().length;

class Scan {
  readonly #line: string;
  readonly #columns: number[] = [];
  readonly #flows: { readonly isList: boolean; readonly nodes: Nodes }[] = [];
  #shown = "";
  #at = 0;
  #nodes: Nodes;
  hasWords = false;

  constructor(line: string, nodes: Nodes) {
    this.#line = line;
    this.#nodes = nodes;
  }

  run(): void {
    this.#show(indentOf(this.#line));
    for (let dash = /^-\s+/.exec(this.#rest()); dash !== null; dash = /^-\s+/.exec(this.#rest())) {
      this.#show(dash[0].length);
      this.#nodes = itemNodes(this.#nodes);
    }
    while (this.#at < this.#line.length) this.#token();
  }

  result(isCut: boolean): ShownLine {
    const columns = [...this.#columns, this.#shown.length];
    const text = `${this.#shown.trimEnd()}${isCut ? "…" : ""}`;
    return { text, columnOf: (column) => columns[Math.min(column, columns.length - 1)] ?? 0 };
  }

  #rest(): string {
    return this.#line.slice(this.#at);
  }

  #token(): void {
    const rest = this.#rest();
    const [space] = /^\s+/.exec(rest) ?? [];
    const key = KEY.exec(rest);
    const [head = ""] = rest;
    if (space !== undefined) this.#show(space.length);
    else if (key !== null) this.#key(key[0], key[2] ?? "");
    else if (head === "#") this.#hide(rest.length);
    else if (head === "{" || head === "[") this.#open(head === "[");
    else if (head === "}" || head === "]") this.#close();
    else if (head === ",") this.#next();
    else this.#value(rest);
  }

  #key(written: string, key: string): void {
    const isKnown = nearWord(this.#nodes, key) !== null || isOwnWord(key);
    if (isKnown) {
      this.hasWords = true;
      this.#show(written.length - 1);
    } else this.#hide(written.length - 1);
    this.#show(1);
    this.#nodes = childNodes(this.#nodes, key);
  }

  #open(isList: boolean): void {
    this.#flows.push({ isList, nodes: this.#nodes });
    if (isList) this.#nodes = itemNodes(this.#nodes);
    this.#show(1);
  }

  #close(): void {
    this.#flows.pop();
    this.#show(1);
    this.#next(0);
  }

  /** What comes next stands beside what was. */
  #next(width = 1): void {
    const flow = this.#flows.at(-1);
    this.#nodes = flow === undefined ? [] : flow.isList ? itemNodes(flow.nodes) : flow.nodes;
    this.#show(width);
  }

  #value(rest: string): void {
    const isFlow = this.#flows.length > 0;
    const [block] = /^[|>][-+0-9]{0,2}(?=\s*$)/.exec(rest) ?? [];
    if (block !== undefined) {
      this.#show(block.length);
      return;
    }
    const quotes = /^"((?:[^"\\]|\\.)*)"|^'((?:[^']|'')*)'/.exec(rest);
    const plain = /^["']/.test(rest)
      ? null
      : (isFlow ? /^[^,\]}]*?(?=\s*([,\]}]|\s#|$))/ : /^.*?(?=\s*(\s#|$))/).exec(rest);
    const [written = ""] = quotes ?? plain ?? [rest];
    const value = quotes === null ? written : (quotes[1] ?? quotes[2] ?? "");
    const after = rest.slice(written.length).trimStart();
    // A text that goes on behind its quotes is no text that was read.
    const isWhole = quotes === null ? plain !== null : after === "" || /^[,\]}:#]/.test(after);
    if (isWhole && isHarmless(this.#nodes, value)) {
      this.hasWords ||= value !== "";
      this.#show(written.length);
    } else this.#hide(Math.max(1, isWhole ? written.length : rest.length));
  }

  #show(length: number): void {
    for (let i = 0; i < length; i++) this.#columns.push(this.#shown.length + i);
    this.#shown += this.#line.slice(this.#at, this.#at + length);
    this.#at += length;
  }

  #hide(length: number): void {
    for (let i = 0; i < length; i++) this.#columns.push(this.#shown.length);
    this.#shown += "…";
    this.#at += length;
  }
}
