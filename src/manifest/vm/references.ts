/** Names that one document uses of others: each must be there. */
import type { VirtualMachineSpec } from "../../model/documents.ts";
import type { Diagnostic } from "../text/diagnostic.ts";
import type { Kind } from "../text/parsed-file.ts";
import type { Segments } from "../text/places.ts";
import { diagnose, type SourceDocument } from "../text/source-document.ts";
import { type Catalog, DEFAULT_NETWORK } from "./catalog.ts";

type Reference = readonly [kind: Kind, name: string, at: Segments];

/** References of a VM's spec, a profile's, or the fleet's defaults. */
export function checkReferences(
  document: SourceDocument,
  at: Segments,
  spec: Readonly<Omit<VirtualMachineSpec, "profile">> & {
    readonly profile?: string | null;
    readonly base?: string | null;
  },
  catalog: Catalog,
  report: (found: Diagnostic) => void,
): void {
  for (const [kind, name, where] of referencesIn(spec)) {
    if (catalog.get(kind, name) !== undefined || (kind === "Network" && name === DEFAULT_NETWORK)) continue;
    if (catalog.isIncomplete) continue;
    const hint = catalog.hintFor(kind, name);
    report(
      diagnose(document, [...at, ...where], {
        code: "unknown-reference",
        message: `there is no ${kind} ${name}`,
        hint,
      }),
    );
  }
}

function* referencesIn(spec: Parameters<typeof checkReferences>[2]): Iterable<Reference> {
  if (spec.profile) yield ["Profile", spec.profile, ["profile"]];
  if (spec.base) yield ["Profile", spec.base, ["base"]];
  if (spec.image) yield ["Image", spec.image, ["image"]];
  if (spec.group) yield ["Group", spec.group, ["group"]];
  if (spec.placement?.node) yield ["Node", spec.placement.node, ["placement", "node"]];
  for (const [index, node] of (spec.placement?.nodes ?? []).entries())
    yield ["Node", node, ["placement", "nodes", index]];
  for (const [index, { image }] of (spec.disks ?? []).entries())
    if (image) yield ["Image", image, ["disks", index, "image"]];
  for (const [index, { network }] of (spec.nics ?? []).entries())
    if (network) yield ["Network", network, ["nics", index, "network"]];
}
