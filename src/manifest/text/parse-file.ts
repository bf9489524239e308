/**
 * One YAML text → its documents, each checked against the schema of its kind, and everything that is wrong with it.
 *
 *   text → plain-yaml.ts, else the yaml library and to-value.ts → [parse-file.ts] → check-schema.ts → ParsedFile → read-manifests.ts
 */
import { Composer, type ErrorCode, Parser, type YAMLError } from "yaml";
import { checkSchema, isKind, KINDS } from "./check-schema.ts";
import { quoted } from "./harmless.ts";
import { oddCharacterHint } from "./odd-characters.ts";
import type { Kind, ParsedDocument, ParsedFile, Problem } from "./parsed-file.ts";
import { findPlace } from "./places.ts";
import { readPlainYaml } from "./plain-yaml.ts";
import { nearest, suggest } from "./suggest.ts";
import { type ReadValue, toValue } from "./to-value.ts";

export const API_VERSION = "odorobo.dev/v1";

/** A text that says it in plain YAML, or is none of ours: read again as fast as from a cache. Null: not such a text. */
export function parsePlain(text: string): ParsedFile | null {
  if (isCloudConfig(text)) return { documents: [], problems: [], isIncomplete: false };
  const read = readPlainYaml(text);
  if (read === null) return null;
  const reading = new Reading(text);
  for (const document of read) reading.add(document, false);
  return reading.result();
}

export const parseFile = (text: string): ParsedFile => parsePlain(text) ?? parseAny(text);

function parseAny(text: string): ParsedFile {
  const reading = new Reading(text);
  readAny(text, reading);
  return reading.result();
}

/** What YAML there is in a text, whatever it is about: each document with what of it is no YAML of ours. */
export function readDocuments(text: string): {
  readonly documents: readonly ReadValue[];
  readonly problems: readonly Problem[];
} {
  const plain = readPlainYaml(text);
  if (plain !== null) return { documents: plain, problems: [] };
  const documents: ReadValue[] = [];
  const problems: Problem[] = [];
  const report = (problem: Problem) => void problems.push(problem);
  readAny(text, { add: (read) => void documents.push(read), report, lose: report });
  return { documents, problems };
}

type Reader = Pick<Reading, "add" | "report" | "lose">;

function readAny(text: string, reading: Reader): void {
  const conflict = findConflict(text);
  if (conflict === null) {
    readYaml(text, reading);
    return;
  }
  const message = "a merge conflict was left here";
  const hint = "keep one side, and remove the lines that begin with <<<<<<<, ======= and >>>>>>>";
  reading.lose({ code: "yaml-syntax", message, hint, start: conflict, end: conflict + 7 });
}

/** Git's marks, at the margin, where no text of a block can stand. */
const MARKS = [/^<{7} /m, /^={7}\r?$/m, /^>{7} /m] as const;

function findConflict(text: string): number | null {
  const [first, ...others] = MARKS;
  const found = first.exec(text);
  return found !== null && others.every((mark) => mark.test(text)) ? found.index : null;
}

function readYaml(text: string, reading: Reader): void {
  // Duplicate keys are found by our own walk: the library compares every key with every other.
  const composer = new Composer({ version: "1.2", schema: "core", uniqueKeys: false, prettyErrors: false });
  for (const { errors, warnings, contents, range } of composer.compose(new Parser().parse(text), false, text.length)) {
    // The library gave up somewhere inside, depending on how much stack was left, and says so at each level on the way out.
    if (errors.some(({ code }) => code === "RESOURCE_EXHAUSTION")) {
      const [start] = range;
      reading.lose({
        code: "yaml-syntax",
        message: "nested too deeply",
        hint: "at most 64 levels",
        start,
        end: start + 1,
      });
      continue;
    }
    for (const error of [...errors, ...warnings]) reading.report(toSyntaxProblem(error, text));
    reading.add(toValue(contents, range[0]), errors.length > 0);
  }
}

/** Cloud-init's own marker, which must be the first line (after a template marker, if there is one). */
const isCloudConfig = (text: string): boolean => /^\uFEFF?(## template:.*\r?\n)?#cloud-config\b/.test(text);

class Reading {
  readonly #text: string;
  readonly #documents: ParsedDocument[] = [];
  readonly #problems: Problem[] = [];
  #isIncomplete = false;

  constructor(text: string) {
    this.#text = text;
  }

  report(problem: Problem): void {
    this.#problems.push(problem);
  }

  /** `isBroken`: YAML itself refuses parts of it. */
  add(read: ReadValue, isBroken: boolean): void {
    // Of a broken document only what YAML itself refuses: the rest may follow from that.
    for (const each of read.problems) if (!isBroken || each.code === "yaml-syntax") this.#problems.push(each);
    if (read.value === null) {
      this.#isIncomplete ||= isBroken || read.problems.length > 0;
      return;
    }
    const kind = this.#kindOf(read, isBroken);
    if (kind === null) {
      this.#isIncomplete ||= isBroken || hasOurKind(read.value);
      return;
    }
    const { problems, usable } = checkSchema(kind, read.value, read.places);
    for (const each of isBroken ? [] : problems) this.#problems.push(each);
    if (usable === null) this.#isIncomplete = true;
    // A broken document counts as being there, so that what refers to it is not called wrong as well.
    else
      this.#documents.push({
        kind,
        value: read.value,
        usable: isBroken || usable !== read.value ? usable : null,
        places: read.places,
      });
  }

  lose(problem: Problem): void {
    this.#problems.push(problem);
    this.#isIncomplete = true;
  }

  result(): ParsedFile {
    return { documents: this.#documents, problems: this.#problems, isIncomplete: this.#isIncomplete };
  }

  /** Null, with the reason reported, when this is no document of ours. */
  #kindOf(read: ReadValue, isBroken: boolean): Kind | null {
    const { value } = read;
    const version = isRecord(value) ? value.apiVersion : undefined;
    const kind = isRecord(value) ? value.kind : undefined;
    if (version === API_VERSION && isKind(kind)) return kind;
    if (isBroken) return null;
    if (typeof version !== "string" || !looksOurs(version)) {
      const hint = isKind(kind)
        ? `a manifest says apiVersion: ${API_VERSION}`
        : `a manifest says apiVersion: ${API_VERSION} and a kind; move other files out of the folder, or into a hidden one`;
      this.#reportAt(read, [], "not-a-manifest", "this document is not an odorobo manifest", hint);
    } else if (version !== API_VERSION) {
      const hint = `did you mean "${API_VERSION}"?`;
      const shown = /^odorobo\.dev\/v[0-9]{1,3}((alpha|beta)[0-9]{1,3})?$/.test(version) ? version : "this apiVersion";
      this.#reportAt(read, ["apiVersion"], "unknown-version", `this odorobo does not read ${shown}`, hint);
    } else if (kind === undefined) {
      this.#reportAt(read, [], "missing-field", "kind is missing", `one of: ${KINDS.join(", ")}`);
    } else {
      const hint = suggest(String(kind), KINDS, "");
      const message = typeof kind === "string" ? quoted("there is no kind", kind) : "there is no kind like this";
      this.#reportAt(
        read,
        ["kind"],
        "unknown-kind",
        message === "there is no kind" ? "there is no such kind" : message,
        hint,
      );
    }
    return null;
  }

  #reportAt(read: ReadValue, at: readonly string[], code: Problem["code"], message: string, hint: string): void {
    const place = findPlace(read.value, read.places, at);
    const start = place?.start ?? 0;
    const lineEnd = this.#text.indexOf("\n", start);
    const end = at.length > 0 ? (place?.end ?? start) : lineEnd === -1 ? this.#text.length : lineEnd;
    this.#problems.push({ code, message, hint, start, end });
  }
}

/** Somebody meant a manifest: what refers to nothing may refer to it. */
const hasOurKind = (value: unknown): boolean =>
  isRecord(value) && (isKind(value.kind) || (typeof value.apiVersion === "string" && looksOurs(value.apiVersion)));

const looksOurs = (version: string): boolean =>
  version.startsWith("odorobo.dev/") || (version.length <= 40 && nearest(version, [API_VERSION]) !== null);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Our own words where the library's would quote the text, which may be a secret, and for the mistakes people make most. */
const SYNTAX: { readonly [code in ErrorCode]?: readonly [message: string, hint: string] } = {
  BAD_COLLECTION_TYPE: ["a list and a map do not mix here", "compare the indentation with the lines above"],
  BAD_DIRECTIVE: ["this YAML directive is not known", "text that begins with % needs quotes"],
  BAD_DQ_ESCAPE: ["this escape in double quotes is not known", "in single quotes, backslashes are plain text"],
  BAD_INDENT: ["the indentation does not fit the lines above", "items of one map or list begin in the same column"],
  BAD_SCALAR_START: ["a plain text cannot begin with this character", "write the text in quotes"],
  BLOCK_AS_IMPLICIT_KEY: ["two keys on one line", "begin a new line, or write the value in quotes"],
  KEY_OVER_1024_CHARS: ["this key is too long", "is a colon or a closing quote missing?"],
  MISSING_CHAR: ["something is missing here", "a closing quote, bracket or brace, or a colon after a key?"],
  MULTILINE_IMPLICIT_KEY: ["a key goes over several lines", "is a colon missing, or the indentation off?"],
  TAB_AS_INDENT: ["a tab is used as indentation", "YAML is indented with spaces"],
  TAG_RESOLVE_FAILED: ["tags have no meaning in manifests", "text that begins with ! needs quotes"],
  UNEXPECTED_TOKEN: ["this was not expected here", "is a quote, a comma or the indentation off?"],
};

function toSyntaxProblem(error: YAMLError, text: string): Problem {
  // As far as anybody would look for it.
  const around = text.slice(Math.max(0, error.pos[0] - 80), error.pos[0] + 80).split("\n");
  const odd = around.map(oddCharacterHint).find((each) => each !== null);
  const [message, hint] = odd
    ? ["this is not valid YAML", odd]
    : (SYNTAX[error.code] ?? ["this is not valid YAML", "compare with the lines above"]);
  return { code: "yaml-syntax", message, hint, start: error.pos[0], end: Math.max(error.pos[0] + 1, error.pos[1]) };
}
