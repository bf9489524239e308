/**
 * What a reading without mistakes came to, as plain JSON, so that the next one need not resolve and check again what is unchanged:
 * the whole of it under the digest of all its texts, and each VM under the digest of what it was made from.
 *
 *   read-manifests.ts ⇄ [kept-reading.ts] ⇄ source/kept-reading-file.ts
 *
 * Pure. A reading is a function of its texts: whoever kept it under the same digest, by the same code, kept the same.
 */
import type { DesiredState, DesiredVm } from "../../model/desired-state.ts";
import { digestOfText } from "../../model/digest.ts";
import { byName, type Digest } from "../../model/names.ts";
import type { VmSpec } from "../../model/vm-spec.ts";
import type { Diagnostic } from "../text/diagnostic.ts";
import { parseFile } from "../text/parse-file.ts";
import type { Segments } from "../text/places.ts";
import { type ManifestText, type SourceDocument, SourceFile, toDocuments } from "../text/source-document.ts";
import type { BuiltVm } from "./built-vm.ts";
import type { UserTexts } from "./user-texts.ts";
import { findPointer, positionOf, type WrittenLayer } from "./where-is.ts";

export interface KeptReading {
  /** Of all the texts, as `inputsOf` has it. */
  readonly inputs: Digest;
  readonly state: Omit<DesiredState, "vms" | "files">;
  /** Texts by digest: where they are, or, when they stand in a manifest, themselves. */
  readonly files: readonly (readonly [Digest, { readonly path: string } | { readonly text: string }])[];
  readonly warnings: readonly Diagnostic[];
  /** What VMs were written in, each once. */
  readonly layers: readonly KeptLayer[];
  readonly vms: readonly KeptVm[];
}

/** A document, by its file and place there, and where the spec begins in it. */
type KeptLayer = readonly [path: string, index: number, at: Segments];

export interface KeptVm extends Pick<DesiredVm, "name" | "source" | "ignore" | "placement" | "windows"> {
  /** Of what its spec was made from, as `VmInputs` has it; null: there is something to say about it each time. */
  readonly key: Digest | null;
  readonly layers: readonly number[];
  /** NICs whose MAC address was derived: beside other VMs it may be another. */
  readonly derivedMacs: readonly string[];
  readonly spec: VmSpec;
  /** Of the spec's JSON. */
  readonly specDigest: Digest;
}

/** What can be taken over of a VM that is made from the same again. */
export type ResolvedVm = Pick<BuiltVm, "spec" | "placement" | "windows" | "ignore">;

/** Of everything that a reading depends on but the code. */
export function inputsOf(texts: readonly ManifestText[]): Digest {
  const lines = texts.map(({ path, text, blobId }) => `${blobId ?? digestOfText(text)} ${JSON.stringify(path)}`);
  return digestOfText(lines.sort(byName).join("\n"));
}

export function keepReading(
  texts: readonly ManifestText[],
  desired: DesiredState,
  built: readonly BuiltVm[],
  userTexts: UserTexts,
  warnings: readonly Diagnostic[],
): KeptReading {
  const { vms, files, ...state } = desired;
  const layers = new Table();
  const sources = new Map(vms.map(({ name, source }) => [name, source]));
  return {
    inputs: inputsOf(texts),
    state,
    files: [...files].map(([digest, text]) => {
      const path = userTexts.pathOf(digest);
      return [digest, path === undefined ? { text } : { path }];
    }),
    warnings,
    vms: built.map(({ name, spec, placement, windows, ignore, derivedMacs, key, layers: written }) => ({
      key,
      name,
      source: sources.get(name) ?? null,
      ignore,
      placement,
      ...(windows.length === 0 ? {} : { windows }),
      layers: written.map((layer) => layers.indexOf(layer)),
      derivedMacs,
      spec,
      specDigest: digestOfText(JSON.stringify(spec)),
    })),
    layers: layers.rows,
  };
}

/** The layers' numbers, in the order in which they were first met. */
class Table {
  readonly rows: KeptLayer[] = [];
  readonly #numbers = new Map<SourceDocument, number>();

  /** A document is the layer of one kind only. */
  indexOf({ document, at }: WrittenLayer): number {
    let number = this.#numbers.get(document);
    if (number === undefined) {
      number = this.rows.push([document.file.path, document.index, at]) - 1;
      this.#numbers.set(document, number);
    }
    return number;
  }
}

/** The same state again. Null when it was not made from these very texts. */
export function restoreReading(
  kept: KeptReading,
  texts: readonly ManifestText[],
): { readonly desired: DesiredState; readonly diagnostics: readonly Diagnostic[] } | null {
  if (kept.inputs !== inputsOf(texts)) return null;
  const written = new WrittenLayers(kept.layers, texts);
  const vms = kept.vms.map(
    ({ name, spec, placement, windows, ignore, source, layers }): DesiredVm => ({
      name,
      spec,
      placement,
      ...(windows === undefined ? {} : { windows }),
      ignore,
      source,
      whereIs(pointer) {
        const found = findPointer(written.all(layers), pointer);
        return found === null ? null : positionOf(found);
      },
    }),
  );
  const files = new Map(
    kept.files.map(([digest, where]) => [digest, "text" in where ? where.text : written.text(where.path)] as const),
  );
  return { desired: { ...kept.state, files, vms }, diagnostics: kept.warnings };
}

/** Documents, parsed again only for those who ask where something is written. */
class WrittenLayers {
  readonly #layers: readonly KeptLayer[];
  readonly #texts: ReadonlyMap<string, ManifestText>;
  readonly #documents = new Map<string, readonly SourceDocument[]>();

  constructor(layers: readonly KeptLayer[], texts: readonly ManifestText[]) {
    this.#layers = layers;
    this.#texts = new Map(texts.map((text) => [text.path, text]));
  }

  text(path: string): string {
    return this.#texts.get(path)?.text ?? "";
  }

  all(numbers: readonly number[]): WrittenLayer[] {
    return numbers.flatMap((number) => {
      const [path = "", index = 0, at = []] = this.#layers[number] ?? [];
      const document = this.#documentsIn(path)[index];
      return document === undefined ? [] : [{ document, at }];
    });
  }

  #documentsIn(path: string): readonly SourceDocument[] {
    const text = this.#texts.get(path);
    if (text === undefined) return [];
    let documents = this.#documents.get(path);
    if (documents === undefined) {
      documents = toDocuments(new SourceFile(text), parseFile(text.text));
      this.#documents.set(path, documents);
    }
    return documents;
  }
}

/** What VMs came to at an earlier reading, for those that are made from the same. */
export function resolvedBefore(kept: KeptReading): (key: Digest) => ResolvedVm | undefined {
  const vms = new Map<Digest | null, KeptVm>(kept.vms.map((vm) => [vm.key, vm]));
  return (key) => {
    const vm = vms.get(key);
    return (
      vm && { spec: withoutDerivedMacs(vm), placement: vm.placement, windows: vm.windows ?? [], ignore: vm.ignore }
    );
  };
}

function withoutDerivedMacs({ spec, derivedMacs }: KeptVm): VmSpec {
  if (derivedMacs.length === 0) return spec;
  return { ...spec, nics: spec.nics.map((nic) => (derivedMacs.includes(nic.name) ? { ...nic, mac: "" } : nic)) };
}
