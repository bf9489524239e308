/**
 * A YAML document's tree → the JSON value it means and the place of each part, in one walk.
 *
 * Stricter than YAML: keys are text and unique, numbers are finite and exact, tags are refused, and aliases may not make a
 * document grow without bound ("a billion laughs").
 */
import { Alias, isScalar, type Node, Pair, Scalar, YAMLMap, YAMLSeq } from "yaml";
import { isWordOfOurs } from "./harmless.ts";
import type { Problem } from "./parsed-file.ts";
import { PlacesWriter } from "./places.ts";

export interface ReadValue {
  readonly value: unknown;
  readonly places: string;
  readonly problems: readonly Problem[];
}

/** Far above what a manifest needs, far below what a stack holds. */
const MAX_DEPTH = 64;
/** Values that exist because of aliases. A list of a thousand VMs' common labels passes; a bomb does not. */
const MAX_ALIASED = 10_000;

export function toValue(root: Node | null, offset: number): ReadValue {
  const walk = new Walk();
  const [start, end] = placeOf(root, offset);
  walk.places.add(start, start, start, end);
  try {
    const value = walk.valueOf(root, start, 0);
    return { value, places: walk.places.toString(), problems: walk.problems };
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    return { value: null, places: walk.places.toString(), problems: [...walk.problems, error.problem] };
  }
}

class Walk {
  readonly places = new PlacesWriter();
  readonly problems: Problem[] = [];
  readonly #anchors = new Map<string, Node>();
  /** An alias means the last anchor of its name before it, also when it is met again through another alias. */
  readonly #targets = new Map<Alias, Node>();
  #aliasDepth = 0;
  #aliased = 0;

  valueOf(node: unknown, offset: number, depth: number): unknown {
    if (depth > MAX_DEPTH) {
      const [start] = rangeOf(node, offset);
      throw new TooMuch(problem("unsupported-yaml", "nested too deeply", "at most 64 levels", start, start + 1));
    }
    if (this.#aliasDepth > 0) this.#countAliased(node, offset);
    if (node instanceof Alias) return this.#aliasValue(node, offset, depth);
    if (node instanceof Scalar) return this.#scalarValue(node, offset);
    if (node instanceof YAMLMap) return this.#mapValue(node, offset, depth);
    if (node instanceof YAMLSeq) return this.#listValue(node, offset, depth);
    return null;
  }

  #scalarValue(node: Scalar, offset: number): unknown {
    this.#remember(node, offset);
    const { value } = node;
    if (
      typeof value === "number" &&
      (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
    )
      this.#report(node, offset, "this number cannot be kept exactly", "write it in quotes");
    if (typeof value === "bigint") return Number(value);
    return value ?? null;
  }

  #mapValue(node: YAMLMap, offset: number, depth: number): unknown {
    this.#remember(node, offset);
    const value: Record<string, unknown> = {};
    for (const [key, pair] of this.#entriesOf(node, offset)) {
      const [keyStart, keyEnd] = rangeOf(pair.key, offset);
      const [start, end] = placeOf(pair.value, keyEnd);
      this.places.add(keyStart, keyEnd, start, end);
      value[key] = this.valueOf(pair.value, start, depth + 1);
    }
    return value;
  }

  /** In the order in which JavaScript will list the keys: those that look like indices first. */
  #entriesOf(node: YAMLMap, offset: number): Iterable<[string, Pair]> {
    const entries = new Map<string, Pair>();
    let hasIndices = false;
    for (const pair of node.items) {
      const key = pair instanceof Pair && isScalar(pair.key) ? keyOf(pair.key) : null;
      if (key === "<<") {
        const hint = "write the fields out, or put what several VMs share into a profile";
        this.#report(pair.key, offset, "merge keys (<<) are not read: YAML 1.2 has none", hint);
      } else if (key === null || key === "__proto__") {
        this.#report(pair.key, offset, "a key must be a plain text", "write it in quotes");
      } else if (entries.has(key)) {
        const [start, end] = rangeOf(pair.key, offset);
        const message = `${isWordOfOurs(key) ? key : "this key"} is written twice here`;
        this.problems.push(problem("duplicate-key", message, "keep one of them", start, end));
      } else {
        entries.set(key, pair);
        hasIndices ||= INDEX.test(key);
      }
    }
    if (!hasIndices) return entries;
    const indices = [...entries].filter(([key]) => INDEX.test(key)).sort(([a], [b]) => Number(a) - Number(b));
    return [...indices, ...[...entries].filter(([key]) => !INDEX.test(key))];
  }

  #listValue(node: YAMLSeq, offset: number, depth: number): unknown {
    this.#remember(node, offset);
    const value: unknown[] = [];
    for (const item of node.items) {
      const [start, end] = placeOf(item, offset);
      this.places.add(start, start, start, end);
      // `- a: b` inside a flow list is a pair without a map around it.
      value.push(item instanceof Pair ? null : this.valueOf(item, start, depth + 1));
    }
    return value;
  }

  #aliasValue(node: Alias, offset: number, depth: number): unknown {
    const target = this.#targets.get(node) ?? this.#anchors.get(node.source);
    if (target === undefined) {
      const hint = "text that begins with * or & needs quotes";
      const [start, end] = rangeOf(node, offset);
      this.problems.push(problem("yaml-syntax", "this alias refers to no anchor", hint, start, end));
      return null;
    }
    this.#targets.set(node, target);
    this.#aliasDepth++;
    try {
      return this.valueOf(target, offset, depth + 1);
    } finally {
      this.#aliasDepth--;
    }
  }

  #remember(node: Scalar | YAMLMap | YAMLSeq, offset: number): void {
    if (node.anchor !== undefined && this.#aliasDepth === 0) this.#anchors.set(node.anchor, node);
    if (node.tag !== undefined && node.tag !== "!" && !CORE_TAGS.has(node.tag))
      this.#report(node, offset, "tags have no meaning in manifests", "leave it out, or write the value in quotes");
  }

  #countAliased(node: unknown, offset: number): void {
    this.#aliased++;
    if (this.#aliased <= MAX_ALIASED) return;
    const [start] = rangeOf(node, offset);
    const hint = "write a Profile instead: VMs share it by name";
    throw new TooMuch(problem("unsupported-yaml", "aliases make this document too large", hint, start, start + 1));
  }

  #report(node: unknown, offset: number, message: string, hint: string): void {
    this.problems.push(problem("unsupported-yaml", message, hint, ...rangeOf(node, offset)));
  }
}

class TooMuch extends Error {
  readonly problem: Problem;
  constructor(found: Problem) {
    super(found.message);
    this.problem = found;
  }
}

const INDEX = /^(0|[1-9][0-9]*)$/;

const CORE_TAGS: ReadonlySet<string> = new Set(
  ["map", "seq", "str", "int", "float", "bool", "null"].map((name) => `tag:yaml.org,2002:${name}`),
);

/** `on: 1` and `8: x` have keys "on" and "8", as written. */
const keyOf = (key: Scalar): string | null =>
  typeof key.value === "string" ? key.value : key.value === null ? null : (key.source ?? String(key.value));

function rangeOf(node: unknown, fallback: number): [number, number] {
  const range = (node as Node | null | undefined)?.range;
  return range ? [range[0], Math.max(range[0], range[1])] : [fallback, fallback];
}

/** As `Place` has it. */
function placeOf(node: unknown, fallback: number): [number, number] {
  const [start, end] = rangeOf(node, fallback);
  if (node instanceof Scalar && start === end) return [fallback, fallback];
  const isBlock = (node instanceof YAMLMap || node instanceof YAMLSeq) && node.flow !== true;
  return [start, isBlock ? start : end];
}

const problem = (code: Problem["code"], message: string, hint: string, start: number, end: number): Problem => ({
  code,
  message,
  hint,
  start,
  end: Math.max(end, start + 1),
});
