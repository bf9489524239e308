/** What of a VM's manifest decides where it lives and what may be done to it, and where that is written. */
import type { AffinityRule, DesiredVm, NodeAffinityRule, SourcePosition } from "../model/desired-state.ts";
import { describeMatch } from "../model/may-live-on.ts";

export interface DecisiveValue {
  /** Into the manifest: `/spec/onDrain`. */
  readonly pointer: string;
  /** For people. */
  readonly value: string;
  /** Null: nobody wrote it, it is so by default, or, of a plan from a snapshot, the place is not kept. */
  readonly source: SourcePosition | null;
}

export function decisiveValues({ spec, placement, whereIs }: DesiredVm): DecisiveValue[] {
  const values: readonly (readonly [pointer: string, value: string | null])[] = [
    ["/spec/placement/node", placement.nodes.length === 1 ? (placement.nodes[0] ?? null) : null],
    ["/spec/placement/nodes", placement.nodes.length > 1 ? placement.nodes.join(", ") : null],
    ["/spec/placement/selector", describeLabels(placement.selector)],
    ["/spec/placement/nodeAffinity", describeRules(placement.nodeAffinity ?? [])],
    ["/spec/placement/affinity", describeRules(placement.affinity)],
    ["/spec/placement/antiAffinity", describeRules(placement.antiAffinity)],
    ["/spec/placement/spread", describeRules(placement.spread ?? [])],
    ["/spec/cpus/count", String(spec.cpus.count)],
    ["/spec/memory/size", `${spec.memory.sizeMiB}MiB`],
    ["/spec/hypervisor", spec.hypervisor],
    ["/spec/runStrategy", spec.runStrategy],
    ["/spec/onDrain", spec.onDrain],
    ["/spec/migration/mode", spec.migration.mode],
    ["/spec/group", spec.group],
    ["/spec/protect", spec.protect ? "true" : null],
  ];
  return values.flatMap(([pointer, value]) =>
    value === null ? [] : [{ pointer, value, source: whereIs(pointer) ?? whereIsAbove(pointer, whereIs) }],
  );
}

/** `memory: 4GiB` says the size without the word; `placement: n1` is one node. */
function whereIsAbove(pointer: string, whereIs: DesiredVm["whereIs"]): SourcePosition | null {
  const above = pointer.slice(0, pointer.lastIndexOf("/"));
  return above === "/spec" ? null : whereIs(above);
}

function describeLabels(labels: Readonly<Record<string, string>>): string | null {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? null : pairs.join(", ");
}

const describeRules = (rules: readonly (NodeAffinityRule | AffinityRule)[]): string | null =>
  rules.length === 0
    ? null
    : rules
        .map((rule) => {
          const per = "per" in rule ? ` per ${rule.per}` : "";
          const most = "maxSkew" in rule ? `, at most ${rule.maxSkew} more than elsewhere` : "";
          return `${describeMatch(rule)}${per}${most}${rule.required ? "" : " (preferred)"}`;
        })
        .join("; ");
