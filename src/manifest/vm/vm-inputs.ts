/** What one VM's spec and placement are made from, as a digest: equal digests, equal results, and no mistake where there was none. */
import { digestOf, digestOfText } from "../../model/digest.ts";
import type { VirtualMachineDocument } from "../../model/documents.ts";
import type { Digest } from "../../model/names.ts";
import type { Catalog } from "./catalog.ts";
import type { Layer, LayerValues } from "./layer.ts";
import { isMade, underlayOf } from "./networks/build-networks.ts";
import type { Underneath } from "./profiles.ts";

export class VmInputs {
  /** What all VMs may refer to and are checked against. References themselves are looked up each time. */
  readonly #common: Digest;
  /** Of the same, the names that they may refer to included. */
  readonly common: Digest;
  readonly #below = new WeakMap<LayerValues, Digest>();

  constructor(catalog: Catalog) {
    const specs = (["Image", "Network"] as const).map((kind) =>
      catalog.all(kind).map(({ content }) => [content.metadata.name, content.spec]),
    );
    const nodes = catalog.all("Node").map(({ content }) => [content.metadata.name, content.metadata.labels ?? {}]);
    // The names of bridges, and who is at the other end of a network that spans nodes.
    const [fleet] = catalog.all("Fleet");
    const around = catalog.all("Network").some(({ content }) => isMade(content.spec.type))
      ? [fleet?.content.metadata.name ?? "", underlayOf(catalog)]
      : [];
    this.#common = digestOf([specs, nodes, ...around]);
    const names = (["Group", "Profile"] as const).map((kind) => [...catalog.names(kind)]);
    this.common = digestOf([this.#common, names]);
  }

  /** `own` has its sizes as numbers and its texts as digests, so that the files it names are in it. */
  keyOf({ metadata }: VirtualMachineDocument, own: Layer, below: Underneath): Digest {
    const { labels = {}, annotations = {} } = metadata;
    return digestOfText(JSON.stringify([this.#common, this.belowOf(below), labels, annotations, own.values]));
  }

  belowOf({ values }: Underneath): Digest {
    let digest = this.#below.get(values);
    if (digest === undefined) {
      digest = digestOfText(JSON.stringify(values));
      this.#below.set(values, digest);
    }
    return digest;
  }
}
