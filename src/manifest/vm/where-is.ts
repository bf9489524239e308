/**
 * Where a value of a VM was written: in its own document, else in the profiles from the nearest to the farthest, else in the
 * fleet's defaults. Pointers are those of `model/fields.ts`: items of disks and nics go by name, and the long forms also find the short.
 */

import { findPlace, type Place, type Segments } from "../text/places.ts";
import type { SourceDocument } from "../text/source-document.ts";
import type { Layer } from "./layer.ts";

/** What is kept of a layer for as long as somebody may ask. */
export type WrittenLayer = Pick<Layer, "document" | "at">;

export interface Written {
  readonly document: SourceDocument;
  readonly at: Segments;
}

/** `layers` from the VM's own document downwards. Null: written nowhere, so a default. */
export function findWritten(layers: readonly WrittenLayer[], segments: Segments): Written | null {
  for (const { document, at } of layers) {
    const own = segmentsInLayer(specOf(document, at), segments);
    if (own !== null) return { document, at: [...at, ...own] };
  }
  const fallback = FALLBACKS[segments.join("/")];
  return fallback === undefined ? null : findWritten(layers, fallback);
}

/** What a value is when nobody writes it. */
const FALLBACKS: Readonly<Record<string, Segments>> = {
  "cpus/max": ["cpus", "count"],
  "memory/max": ["memory", "size"],
};

/** `/spec/disks/root` → where it was written. */
export function findPointer(layers: readonly WrittenLayer[], pointer: string): Written | null {
  const [top] = layers;
  const [root, ...segments] = pointer.slice(1).split("/");
  if (top === undefined) return null;
  if (root === "spec") {
    const [first, ...below] = segments;
    if (first !== "passthrough") return findWritten(layers, segments);
    for (const at of below.length === 0 ? [[]] : [below, []])
      for (const section of ["cloudHypervisor", "qemu"]) {
        const written = findWritten(layers, [section, ...at]);
        if (written !== null) return written;
      }
    return null;
  }
  const at = [root ?? "", ...segments];
  return findPlace(top.document.parsed.value, top.document.parsed.places, at) === null
    ? null
    : { document: top.document, at };
}

/** A value that begins on its key's line is found there; a block at its key. */
export function positionOf({ document, at }: Written): { file: string; line: number; column: number } {
  const { file, parsed } = document;
  const place: Place = findPlace(parsed.value, parsed.places, at) ?? { keyStart: 0, keyEnd: 0, start: 0, end: 1 };
  return { file: file.path, ...file.position(file.startsOnKeyLine(place) ? place.start : place.keyStart) };
}

/** The segments as this layer writes them, or null when it does not. */
function segmentsInLayer(spec: unknown, segments: Segments): Segments | null {
  const own: (string | number)[] = [];
  let current = spec;
  for (const [index, segment] of segments.entries()) {
    if (Array.isArray(current) && typeof segment === "string") {
      const item = current.findIndex((each) => (each as { name?: unknown } | null)?.name === segment);
      if (item === -1) return shortForm(spec, segments);
      own.push(item);
      current = current[item];
    } else if (typeof current === "object" && current !== null && Object.hasOwn(current, segment)) {
      own.push(segment);
      current = (current as Record<string, unknown>)[segment];
    } else {
      return index > 0 && isScalar(current) && SCALAR_FORMS.has(segments.join("/")) ? own : shortForm(spec, segments);
    }
  }
  return own;
}

/** `cpus: 2` and `memory: 2GiB` write these. */
const SCALAR_FORMS: ReadonlySet<string> = new Set(["cpus/count", "memory/size"]);

const isScalar = (value: unknown): boolean => typeof value === "number" || typeof value === "string";

/** `image` and `size` of the spec write the disk root. */
function shortForm(spec: unknown, [list, name, field]: Segments): Segments | null {
  if (list !== "disks" || name !== "root" || typeof spec !== "object" || spec === null) return null;
  // None of a disk's other fields is one of the spec.
  const keys = field === undefined ? ["image", "size"] : [field];
  const key = keys.find((each) => Object.hasOwn(spec, each));
  return key === undefined ? null : [key];
}

function specOf({ parsed }: SourceDocument, at: Segments): unknown {
  let current: unknown = parsed.value;
  for (const segment of at) current = (current as Record<string | number, unknown> | null | undefined)?.[segment];
  return current;
}
