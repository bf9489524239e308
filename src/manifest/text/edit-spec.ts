/**
 * A change of a document's `spec`, made in its text: what is not changed keeps every byte, comments, order and quotes included.
 *
 *   text, edits → the yaml library (where things stand) → splice → read again and compared → text
 *
 * Texts are written in more ways than anybody thinks of; a splice that does not read back as meant is not used.
 */
import { isMap, isScalar, type Pair, parseAllDocuments, type YAMLMap, type Document as YamlDocument } from "yaml";
import { sameValue } from "../../model/fields.ts";

/** `value`: what it shall be, a scalar or a map of scalars; null: the key is taken out. */
export interface SpecEdit {
  readonly key: string;
  readonly value: EditValue | null;
}

export type EditValue = boolean | string | Readonly<Record<string, string>>;

/** Which document: `kind: Node` of this name. Null: it cannot be done in this text; a person has to. The same text: it was so already. */
export function editSpec(
  text: string,
  which: { readonly kind: string; readonly name: string },
  edits: readonly SpecEdit[],
): string | null {
  const documents = read(text);
  const index = documents.findIndex(
    (each) => each.get("kind") === which.kind && each.getIn(["metadata", "name"]) === which.name,
  );
  if (index < 0) return null;
  let edited = text;
  for (const edit of edits) {
    const next = spliceOne(edited, index, edit);
    if (next === null) return null;
    edited = next;
  }
  return edited;
}

const read = (text: string) =>
  parseAllDocuments(text, { version: "1.2", schema: "core", uniqueKeys: false, prettyErrors: false }) as YamlDocument[];

function spliceOne(text: string, index: number, edit: SpecEdit): string | null {
  const documents = read(text);
  const spec = documents[index]?.get("spec");
  if (!isMap(spec)) return null;
  const spliced = splice(text, spec, edit);
  return spliced !== null && isAsMeant(spliced, documents, index, edit) ? spliced : null;
}

/** Every document reads as before, but for this one key of this one. */
function isAsMeant(text: string, before: readonly YamlDocument[], index: number, { key, value }: SpecEdit): boolean {
  const after = read(text);
  if (after.length !== before.length || after.some(({ errors }) => errors.length > 0)) return false;
  return after.every((document, place) => {
    const was = before[place]?.toJS() as { spec: Record<string, unknown> };
    if (place !== index) return sameValue(document.toJS(), was);
    const { [key]: _, ...others } = was.spec;
    return sameValue(document.toJS(), { ...was, spec: value === null ? others : { ...others, [key]: value } });
  });
}

function splice(text: string, spec: YAMLMap, { key, value }: SpecEdit): string | null {
  const pairs = spec.items as Pair[];
  const place = pairs.findIndex((pair) => isScalar(pair.key) && pair.key.value === key);
  if (place < 0 && value === null) return text;
  const spans = pairs.map((pair) => spanOf(text, pair));
  if (spans.some((span) => span === null)) return null;
  const all = spans as Span[];
  if (place < 0) return value === null ? text : add(text, spec, all, `${key}: ${inline(value)}`);
  const span = all[place] as Span;
  if (value !== null) return `${text.slice(0, span.start)}${key}: ${inline(value)}${text.slice(span.end)}`;
  return spec.flow ? removeFromFlow(text, all, place) : removeLines(text, span);
}

/** Of a key with its value: from the key's first character to behind the value's last. */
interface Span {
  readonly start: number;
  readonly end: number;
}

function spanOf(text: string, { key, value }: Pair): Span | null {
  if (!isScalar(key) || !key.range) return null;
  const [start, keyEnd] = key.range;
  const range = (value as { range?: readonly [number, number, number] | null } | null)?.range;
  const colon = text.indexOf(":", keyEnd) + 1;
  const end = Math.max(colon, range?.[1] ?? colon);
  // The library counts the line end of a block as part of it.
  return { start, end: start + text.slice(start, end).trimEnd().length };
}

function add(text: string, spec: YAMLMap, spans: readonly Span[], line: string): string | null {
  const [first, last] = [spans[0], spans.at(-1)];
  if (first === undefined || last === undefined) return null;
  if (spec.flow) return `${text.slice(0, last.end)}, ${line}${text.slice(last.end)}`;
  const indent = text.slice(lineStart(text, first.start), first.start);
  if (indent.trim() !== "") return null;
  const end = lineEnd(text, last.end);
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  return `${text.slice(0, end)}${newline}${indent}${line}${text.slice(end)}`;
}

function removeLines(text: string, { start, end }: Span): string | null {
  const from = lineStart(text, start);
  if (text.slice(from, start).trim() !== "") return null;
  const to = text.indexOf("\n", end);
  return text.slice(0, from) + (to < 0 ? "" : text.slice(to + 1));
}

function removeFromFlow(text: string, spans: readonly Span[], place: number): string {
  const { start, end } = spans[place] as Span;
  const before = spans[place - 1];
  const after = spans[place + 1];
  if (before !== undefined) return text.slice(0, before.end) + text.slice(end);
  return text.slice(0, start) + text.slice(after?.start ?? end);
}

const lineStart = (text: string, at: number): number => text.lastIndexOf("\n", at - 1) + 1;

/** Before the line end, whichever it is. */
function lineEnd(text: string, at: number): number {
  const newline = text.indexOf("\n", at);
  if (newline < 0) return text.length;
  return text[newline - 1] === "\r" ? newline - 1 : newline;
}

/** On one line, so that it fits into a block and into `{ … }`. */
function inline(value: EditValue): string {
  if (typeof value !== "object") return scalar(value);
  const entries = Object.entries(value).map(([key, each]) => `${key}: ${scalar(each)}`);
  return `{ ${entries.join(", ")} }`;
}

/** JSON's strings are YAML's; times need no quotes, and nobody writes them with any. */
const scalar = (value: boolean | string): string =>
  typeof value === "string" && /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(value) ? value : JSON.stringify(value);
