/**
 * An agent's report, read so that what is wrong with one VM costs that VM and not its node.
 *
 *   client.ts → [read-report.ts] → check-shape.ts
 *
 * A VM whose part is not what it should be becomes `unreadable`: it is there, and nothing is planned for it. Where not even
 * its name can be read, whatever is not seen may be it (`illegible`). What is wrong with the node's own part is the node's.
 */
import { isDnsLabel } from "../model/names.ts";
import type { NodeReport, UnreadableVm } from "../model/observed-state.ts";
import { findAnswerError } from "./check-shape.ts";

/** Lists of things that are each one VM's. */
const LISTS = ["vms", "tombstones", "unfinished", "unreadable"] as const;

/** A phrase that names the place, for a report that is none. */
export function readNodeReport(value: unknown): NodeReport | string {
  const problem = findAnswerError("node-report", value);
  if (problem === null) return value as NodeReport;
  if (typeof value !== "object" || value === null) return problem;
  const report = value as Readonly<Record<string, unknown>>;
  const { unreadable: _unreadable, illegible: _illegible, ...rest } = report;
  const node = { ...rest, vms: [], tombstones: [], unfinished: [] };
  // Without its VMs it must be right: else it is the node that cannot be read.
  if (LISTS.some((list) => report[list] !== undefined && !Array.isArray(report[list]))) return problem;
  if (findAnswerError("node-report", node) !== null) return problem;
  return withoutRotten(report, node);
}

function withoutRotten(report: Readonly<Record<string, unknown>>, node: object): NodeReport {
  const rotten = new Map<string, string>();
  let illegible = typeof report.illegible === "number" ? report.illegible : 0;
  const right = new Map<string, unknown[]>();
  for (const list of LISTS) {
    const items = (report[list] ?? []) as readonly unknown[];
    const found = items.filter((item) => {
      const problem = findAnswerError("node-report", { ...node, [list]: [item] });
      if (problem === null) return true;
      const name = nameOf(item, list === "unfinished" ? "vm" : "name");
      if (name === null) illegible++;
      else rotten.set(name, `what its agent reports of it does not make sense: ${problem}`);
      return false;
    });
    right.set(list, found);
  }
  const kept = (list: (typeof LISTS)[number]) =>
    (right.get(list) as { readonly name: string }[]).filter(({ name }) => !rotten.has(name));
  const unreadable = [...kept("unreadable"), ...[...rotten].map(([name, problem]) => ({ name, problem }))];
  return {
    ...node,
    vms: kept("vms"),
    tombstones: kept("tombstones"),
    unfinished: right.get("unfinished"),
    ...(unreadable.length === 0 ? {} : { unreadable: unreadable.sort((a, b) => (a.name < b.name ? -1 : 1)) }),
    ...(illegible === 0 ? {} : { illegible }),
  } as unknown as NodeReport & { unreadable?: readonly UnreadableVm[] };
}

function nameOf(item: unknown, key: "name" | "vm"): string | null {
  const name = typeof item === "object" && item !== null ? (item as Record<string, unknown>)[key] : undefined;
  return typeof name === "string" && isDnsLabel(name) ? name : null;
}
