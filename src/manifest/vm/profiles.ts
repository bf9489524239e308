/** What lies underneath a VM's own document: its profile, that one's bases, the fleet's defaults, merged once for all VMs that share them. */
import { byName } from "../../model/names.ts";
import type { Diagnostic } from "../text/diagnostic.ts";
import type { Segments } from "../text/places.ts";
import { diagnose, type SourceDocument } from "../text/source-document.ts";
import type { Catalog } from "./catalog.ts";
import type { Layer, LayerValues } from "./layer.ts";
import { mergeLayers } from "./merge-layers.ts";

export interface Underneath {
  /** From the nearest to the farthest. */
  readonly layers: readonly Layer[];
  readonly values: LayerValues;
}

/** Nobody can keep more in mind; and a bound is needed, because each level is merged again. */
const MAX_BASES = 32;

export class Profiles {
  readonly #catalog: Catalog;
  readonly #report: (found: Diagnostic) => void;
  readonly #layers: ReadonlyMap<string, Layer>;
  readonly #defaults: Underneath;
  readonly #merged = new Map<string, Underneath>();

  constructor(
    catalog: Catalog,
    makeLayer: (document: SourceDocument, at: Segments) => Layer,
    report: (found: Diagnostic) => void,
  ) {
    this.#catalog = catalog;
    this.#report = report;
    const [fleet] = catalog.all("Fleet");
    const defaults = fleet?.content.spec?.defaults ? makeLayer(fleet, ["spec", "defaults"]) : null;
    this.#defaults =
      defaults === null ? { layers: [], values: {} } : { layers: [defaults], values: mergeLayers({}, defaults.values) };
    // Also those that no VM uses yet: a mistake in them is one.
    this.#layers = new Map(
      catalog.all("Profile").map((document) => [document.content.metadata.name, makeLayer(document, ["spec"])]),
    );
    for (const cycle of this.#cycles()) report(cycle);
  }

  /** A profile that is not there was reported where it was named; here it says nothing. */
  underneath(profile: string | null | undefined, depth = 0): Underneath {
    if (!profile) return this.#defaults;
    if (depth > MAX_BASES) {
      this.#reportTooDeep(profile);
      return this.#defaults;
    }
    const known = this.#merged.get(profile);
    if (known !== undefined) return known;
    // Stands for "being merged": in a cycle, which was reported, the way ends here.
    this.#merged.set(profile, this.#defaults);
    const layer = this.#layers.get(profile);
    const below = this.underneath(this.#baseOf(profile), depth + 1);
    const result =
      layer === undefined
        ? below
        : { layers: [layer, ...below.layers], values: mergeLayers(below.values, layer.values) };
    this.#merged.set(profile, result);
    return result;
  }

  #reportTooDeep(profile: string): void {
    const document = this.#catalog.get("Profile", profile);
    if (document === undefined) return;
    const message = `more than ${MAX_BASES} profiles on top of one another`;
    this.#report(
      diagnose(document, ["spec", "base"], { code: "bad-value", message, hint: "merge some of them into one" }),
    );
  }

  #baseOf(profile: string): string | null {
    return this.#catalog.get("Profile", profile)?.content.spec.base ?? null;
  }

  /** Each cycle once, told from its first name. */
  *#cycles(): Iterable<Diagnostic> {
    const settled = new Set<string>();
    for (const start of [...this.#layers.keys()].sort(byName)) {
      const onPath = new Set<string>();
      let current: string | null = start;
      while (current !== null && !settled.has(current) && !onPath.has(current)) {
        onPath.add(current);
        current = this.#baseOf(current);
      }
      const path = [...onPath];
      const cycle = current === null || settled.has(current) ? [] : path.slice(path.indexOf(current));
      const [first = ""] = [...cycle].sort(byName);
      const document = this.#catalog.get("Profile", first);
      if (document !== undefined) {
        const turn = cycle.indexOf(first);
        const names = [...cycle.slice(turn), ...cycle.slice(0, turn), first].join(" → ");
        const message = `profiles go in a circle: ${names}`;
        yield diagnose(document, ["spec", "base"], {
          code: "profile-cycle",
          message,
          hint: "remove one of these bases",
        });
      }
      for (const name of path) settled.add(name);
    }
  }
}
