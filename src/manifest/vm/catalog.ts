/** All documents of the fleet, by kind and name. Of two with one name the first, in the order of files, counts. */
import type { ManifestDocument } from "../../model/documents.ts";
import type { Diagnostic } from "../text/diagnostic.ts";
import type { Kind } from "../text/parsed-file.ts";
import { diagnose, type SourceDocument, whereNamed } from "../text/source-document.ts";
import { suggest } from "../text/suggest.ts";

/** Is there without being written: NAT inside the hypervisor's process. */
export const DEFAULT_NETWORK = "default";

const HINTS_AT_MOST = 200;

type DocumentOf<K extends Kind> = SourceDocument<Extract<ManifestDocument, { readonly kind: K }>>;

export class Catalog {
  readonly #kinds = new Map<Kind, Map<string, SourceDocument>>();
  #hints = 0;
  /** A document could not be read: a reference to nothing may mean that one, and is not reported. */
  readonly isIncomplete: boolean;

  constructor(documents: readonly SourceDocument[], isIncomplete: boolean, report: (found: Diagnostic) => void) {
    this.isIncomplete = isIncomplete;
    const duplicates: [SourceDocument, SourceDocument][] = [];
    for (const document of documents) {
      const { kind, metadata } = document.content;
      const names = this.#kinds.get(kind) ?? new Map<string, SourceDocument>();
      this.#kinds.set(kind, names);
      const first = names.get(metadata.name);
      if (first === undefined) names.set(metadata.name, document);
      else duplicates.push([document, first]);
    }
    const [fleet, ...others] = documents.filter((document) => document.content.kind === "Fleet");
    if (fleet !== undefined) for (const other of others) report(secondFleet(other, fleet));
    // Of two fleets in one folder everything may be there twice: that follows from it, and is not told again.
    if (others.length === 0) for (const [document, first] of duplicates) report(duplicate(document, first));
  }

  get<K extends Kind>(kind: K, name: string): DocumentOf<K> | undefined {
    return this.#kinds.get(kind)?.get(name) as DocumentOf<K> | undefined;
  }

  /** For a name that is not there. Thousands of them are one mistake, and to look each up among thousands would take minutes. */
  hintFor(kind: Kind, name: string): string | null {
    if (this.#hints++ >= HINTS_AT_MOST) return null;
    const names = kind === "Network" ? [...this.names(kind), DEFAULT_NETWORK] : this.names(kind);
    return suggest(name, names, `the manifests have no ${kind} at all`);
  }

  /** In the order of files. */
  all<K extends Kind>(kind: K): DocumentOf<K>[] {
    return [...(this.#kinds.get(kind)?.values() ?? [])] as DocumentOf<K>[];
  }

  names(kind: Kind): Iterable<string> {
    return this.#kinds.get(kind)?.keys() ?? [];
  }
}

function duplicate(document: SourceDocument, first: SourceDocument): Diagnostic {
  const { kind, metadata } = document.content;
  return diagnose(document, ["metadata", "name"], {
    code: "duplicate-name",
    message: `there is another ${kind} named ${metadata.name}`,
    hint: `the first one is in ${whereNamed(first)}`,
  });
}

const secondFleet = (document: SourceDocument, first: SourceDocument): Diagnostic =>
  diagnose(document, ["kind"], {
    code: "duplicate-name",
    message: "there is more than one Fleet",
    hint: `the first one is in ${whereNamed(first)}; one repository is one fleet: give the folder of one of them`,
  });
