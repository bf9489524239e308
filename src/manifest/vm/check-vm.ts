/** What one VM says that cannot come true, or has no effect, in the light of the fleet. */

import type { Placement } from "../../model/desired-state.ts";
import { FIELD_POINTERS, isCovered } from "../../model/fields.ts";
import { type Labels, meets } from "../../model/may-live-on.ts";
import type { VmSpec } from "../../model/vm-spec.ts";
import { isOwnWord } from "../text/harmless.ts";
import type { ReportField } from "../text/source-document.ts";
import { nearest } from "../text/suggest.ts";
import type { Catalog } from "./catalog.ts";

/** Thousands of VMs have few different selectors, and a fleet has few label keys. */
export class PlacementCheck {
  readonly #catalog: Catalog;
  readonly #nodesBySelector = new Map<string, ReadonlySet<string>>();
  readonly #labelKeys: ReadonlySet<string>;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
    this.#labelKeys = new Set(catalog.all("Node").flatMap(({ content }) => Object.keys(content.metadata.labels ?? {})));
  }

  check(placement: Placement, labels: Labels, report: ReportField): void {
    const { nodes, selector, affinity, antiAffinity, spread = [] } = placement;
    for (const [index, rule] of spread.entries())
      if (!meets(labels, rule))
        report(["placement", "spread", index], {
          code: "conflicting-fields",
          message: "this VM has not the labels of those that it is to be spread with",
          hint: "a spread counts those it matches, and this VM must be one of them",
        });
    if (this.#catalog.isIncomplete) return;
    this.#checkNodeAffinity(placement, report);
    for (const [list, rules] of [
      ["affinity", affinity],
      ["antiAffinity", antiAffinity],
      ["spread", spread],
    ] as const)
      for (const [index, { per }] of rules.entries())
        if (per !== "node" && !this.#labelKeys.has(per))
          report(["placement", list, index, "per"], {
            code: "unknown-reference",
            message: "no node has a label of this name",
            hint: nearHint(per, ["node", ...this.#labelKeys]),
          });
    if (Object.keys(selector).length === 0) return;
    const selected = this.#select(selector);
    if (nodes.length === 0 ? selected.size > 0 : nodes.some((node) => selected.has(node))) return;
    report(["placement", "selector"], {
      code: "impossible-placement",
      message: `${nodes.length === 0 ? "no node" : `none of ${nodes.join(", ")}`} has all these labels`,
      hint: "compare with metadata.labels of the nodes",
    });
  }

  /** Of the nodes that its selector and its list of nodes leave, one must meet all that is required of its labels. */
  #checkNodeAffinity({ nodes, nodeAffinity = [] }: Placement, report: ReportField): void {
    for (const [index, rule] of nodeAffinity.entries()) {
      if (!rule.required) continue;
      const candidates = this.#catalog
        .all("Node")
        .filter(({ content }) => nodes.length === 0 || nodes.some((name) => name === content.metadata.name));
      if (candidates.length === 0 || candidates.some(({ content }) => meets(content.metadata.labels ?? {}, rule)))
        continue;
      report(["placement", "nodeAffinity", index], {
        code: "impossible-placement",
        message: `${nodes.length === 0 ? "no node" : `none of ${nodes.join(", ")}`} has labels like that`,
        hint: "compare with metadata.labels of the nodes",
      });
    }
  }

  #select(selector: Readonly<Record<string, string>>): ReadonlySet<string> {
    const key = JSON.stringify(selector);
    let selected = this.#nodesBySelector.get(key);
    if (selected === undefined) {
      const wanted = Object.entries(selector);
      const fits = this.#catalog
        .all("Node")
        .filter(({ content }) => wanted.every(([name, value]) => content.metadata.labels?.[name] === value));
      selected = new Set(fits.map(({ content }) => content.metadata.name));
      this.#nodesBySelector.set(key, selected);
    }
    return selected;
  }
}

/** Settings of another hypervisor are for the profile's other VMs; in a VM's own document they are a mistake. A rehearsal on noop keeps both. */
export function checkPassthrough(
  own: { readonly cloudHypervisor?: object | null; readonly qemu?: object | null },
  { hypervisor }: VmSpec,
  report: ReportField,
): void {
  for (const [field, kind] of [
    ["cloudHypervisor", "cloud-hypervisor"],
    ["qemu", "qemu"],
  ] as const) {
    if (!own[field] || hypervisor === kind || hypervisor === "noop") continue;
    report([field], {
      code: "no-effect",
      message: `${field} has no effect: this VM runs on ${hypervisor}`,
      hint: `remove it, or set hypervisor: ${kind}`,
    });
  }
}

/** Pointers as the rest of odorobo knows them. One that covers no field would give a false sense of safety. */
export function buildIgnore(pointers: readonly string[] | null | undefined, report: ReportField): string[] {
  const known: string[] = [];
  let hints = 0;
  for (const [index, written] of (pointers ?? []).entries()) {
    const pointer = written.replace(/^\/spec\/(cloudHypervisor|qemu)(?=\/|$)/, "/spec/passthrough");
    const isKnown = FIELD_POINTERS.some((field) => isCovered(field, [pointer])) || ITEM.test(pointer);
    if (isKnown) known.push(pointer);
    else
      report(["ignore", index], {
        code: "no-effect",
        message: `${isPointerOfOurs(written) ? written : "this"} is not a field that can be ignored`,
        hint: hints++ < HINTS_AT_MOST ? hintFor(pointer) : null,
      });
  }
  return known;
}

const isPointerOfOurs = (pointer: string): boolean => pointer.split("/").slice(1).every(isOwnWord);

/** Labels are the user's own words, and not listed: they may be anything. */
function nearHint(word: string, words: readonly string[]): string {
  const near = word.length > 63 ? null : nearest(word, words);
  return near === null ? "compare with metadata.labels of the nodes" : `did you mean "${near}"?`;
}

const HINTS_AT_MOST = 100;

const ITEM = /^\/spec\/(disks|nics|passthrough)\/[^/]+$/;

function hintFor(pointer: string): string {
  if (pointer === "/spec/image" || pointer === "/spec/size") return "write /spec/disks/root";
  const around = FIELD_POINTERS.find((field) => isCovered(pointer, [field]));
  if (around !== undefined && !/^\/spec\/(disks|nics)$/.test(around)) return `the whole of ${around} can be`;
  const near = nearest(pointer, FIELD_POINTERS);
  return near === null ? "such as /spec/cpus/count, /spec/disks/root or /metadata/labels" : `did you mean ${near}?`;
}
