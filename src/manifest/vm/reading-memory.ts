/**
 * What a reading came to, for the next one in the same process: what is unchanged becomes the very same objects, down to each VM.
 *
 *   read-manifests.ts, resolve-vms.ts ⇄ [reading-memory.ts]
 *
 * An optimisation and nothing else: the same reading with it and without, which `test/manifest/reading-memory.property.test.ts` draws. A
 * value that its owner passes in, for the readings of one fleet; two at once may share it, because neither waits for anything.
 */
import type { DesiredVm } from "../../model/desired-state.ts";
import { digestOfText } from "../../model/digest.ts";
import type { Digest } from "../../model/names.ts";
import type { VmSpec } from "../../model/vm-spec.ts";
import type { ParsedFile } from "../text/parsed-file.ts";
import { type ManifestText, type SourceDocument, SourceFile, toDocuments } from "../text/source-document.ts";
import type { BuiltVm } from "./built-vm.ts";

/** A text with what it says on its own. */
export interface ReadFile {
  readonly text: string;
  readonly file: SourceFile;
  readonly parsed: ParsedFile;
  readonly documents: readonly SourceDocument[];
}

/** A VM as it was built without a word of complaint, with all that this looked at beside its own document. */
export interface RememberedVm {
  readonly built: BuiltVm;
  /** Of all that VMs may refer to and are checked against. */
  readonly common: Digest;
  /** Of the values underneath it, and the documents that they were written in. */
  readonly below: Digest;
  readonly documentsBelow: readonly SourceDocument[];
  /** Texts that it names: as written, and what they were. */
  readonly texts: readonly (readonly [written: string, digest: Digest])[];
}

export class ReadingMemory {
  #files: ReadonlyMap<string, ReadFile> = new Map();
  #blobs: ReadonlyMap<string, string> = new Map();
  readonly #vms = new WeakMap<SourceDocument, RememberedVm>();
  readonly #withMacs = new WeakMap<BuiltVm, BuiltVm>();
  readonly #desired = new WeakMap<BuiltVm, DesiredVm>();
  readonly #vmDigests = new WeakMap<DesiredVm, Digest>();
  readonly #specDigests = new WeakMap<VmSpec, Digest>();

  /** Nothing was read with it yet. */
  get isEmpty(): boolean {
    return this.#files.size === 0;
  }

  /** Of an object of git that was read the last time. */
  textOf(blobId: string): string | undefined {
    return this.#blobs.get(blobId);
  }

  /** All texts of a reading: what is not among them is forgotten. */
  files(
    texts: readonly ManifestText[],
    all: readonly ManifestText[],
    parse: (text: ManifestText) => ParsedFile,
  ): ReadFile[] {
    const files = texts.map((text) => {
      const known = this.#files.get(text.path);
      return known?.text === text.text ? known : readFile(text, parse(text));
    });
    this.#files = new Map(files.map((each) => [each.file.path, each]));
    this.#blobs = new Map(all.flatMap(({ blobId, text }) => (blobId === null ? [] : [[blobId, text]])));
    return files;
  }

  vm(document: SourceDocument): RememberedVm | undefined {
    return this.#vms.get(document);
  }

  remember(document: SourceDocument, vm: RememberedVm): void {
    this.#vms.set(document, vm);
  }

  /** `make` says the same of the same VM, but for the addresses. */
  withMacs(vm: BuiltVm, macs: readonly string[], make: () => BuiltVm): BuiltVm {
    const known = this.#withMacs.get(vm);
    if (known?.spec.nics.every(({ mac }, index) => mac === macs[index])) return known;
    return put(this.#withMacs, vm, make());
  }

  desired(vm: BuiltVm, make: () => DesiredVm): DesiredVm {
    return this.#desired.get(vm) ?? put(this.#desired, vm, make());
  }

  digestOfVm(vm: DesiredVm, make: () => Digest): Digest {
    return this.#vmDigests.get(vm) ?? put(this.#vmDigests, vm, make());
  }

  /** Of its JSON. */
  digestOfSpec(spec: VmSpec): Digest {
    return this.#specDigests.get(spec) ?? put(this.#specDigests, spec, digestOfText(JSON.stringify(spec)));
  }
}

export function readFile(text: ManifestText, parsed: ParsedFile): ReadFile {
  const file = new SourceFile(text);
  return { text: text.text, file, parsed, documents: toDocuments(file, parsed) };
}

function put<Key extends object, Value>(map: WeakMap<Key, Value>, key: Key, value: Value): Value {
  map.set(key, value);
  return value;
}
