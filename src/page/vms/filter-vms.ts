/** Which VMs somebody means, from what they typed, and in which order. Pure. */
import { byName } from "../../model/names.ts";
import { PHASES } from "../../model/observed-state.ts";
import type { RowPhase, VmRow } from "../../report/gateway/page-documents.ts";

/** Worth a look, by what it is that is worth it: what buttons above the list choose by. */
export const KINDS = [
  "all",
  "running",
  "not-ready",
  "off",
  "crashed",
  "unknown",
  "changing",
  "drifted",
  "pending",
] as const;
export type Kind = (typeof KINDS)[number];

export const KIND_WORDS: Readonly<Record<Kind, string>> = {
  all: "All",
  running: "Running",
  "not-ready": "Not ready",
  off: "Off",
  crashed: "Crashed",
  unknown: "Not seen",
  changing: "To change",
  drifted: "Drifted",
  pending: "Pending",
};

const TESTS: Readonly<Record<Kind, (row: VmRow) => boolean>> = {
  all: () => true,
  running: ({ phase }) => phase === "running",
  "not-ready": ({ phase, ready }) => phase === "running" && ready === false,
  off: ({ phase }) => phase === "stopped" || phase === "paused" || phase === "stopping" || phase === "starting",
  crashed: ({ phase }) => phase === "crashed",
  unknown: ({ phase }) => phase === "unknown" || phase === "unreadable" || phase === "absent",
  changing: ({ change, held }) => change !== null || held !== null,
  drifted: ({ drift }) => drift !== null,
  pending: ({ pending }) => pending,
};

export function countKinds(rows: readonly VmRow[]): Readonly<Record<Kind, number>> {
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>;
  for (const row of rows) for (const kind of KINDS) if (TESTS[kind](row)) counts[kind]++;
  return counts;
}

const FIELDS: Readonly<Record<string, (row: VmRow) => string>> = {
  name: ({ name }) => name,
  node: ({ node }) => node ?? "",
  group: ({ group }) => group ?? "",
  phase: ({ phase }) => phase,
  address: ({ addresses }) => addresses.map(({ address }) => address).join(" "),
  change: ({ change }) => (change === null ? "" : `${change.action} ${change.class}`),
};

/** Every word has to be somewhere; `node:n1` and the like look there only. */
export function matcherOf(query: string): (row: VmRow) => boolean {
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const tests = words.map((word): ((row: VmRow) => boolean) => {
    const colon = word.indexOf(":");
    const field = colon < 0 ? undefined : FIELDS[word.slice(0, colon)];
    if (field !== undefined) {
      const wanted = word.slice(colon + 1);
      return (row) => field(row).toLowerCase().includes(wanted);
    }
    const any = Object.values(FIELDS);
    return (row) => any.some((of) => of(row).toLowerCase().includes(word));
  });
  return (row) => tests.every((fits) => fits(row));
}

/** What needs a look comes first. */
const ORDER: readonly RowPhase[] = [
  "crashed",
  "unreadable",
  "absent",
  "unknown",
  ...PHASES.filter((p) => p !== "crashed"),
];

const KEYS: Readonly<Record<string, (a: VmRow, b: VmRow) => number>> = {
  name: () => 0,
  state: (a, b) => rank(a) - rank(b),
  node: (a, b) => byText(a.node, b.node),
  group: (a, b) => byText(a.group, b.group),
  cpus: (a, b) => a.cpus - b.cpus,
  memory: (a, b) => a.memoryMiB - b.memoryMiB,
  change: (a, b) => byText(a.change?.class ?? null, b.change?.class ?? null),
};

const rank = ({ phase, ready }: VmRow): number => ORDER.indexOf(phase) + (ready === false ? -0.5 : 0);

/** What has none comes last. */
const byText = (a: string | null, b: string | null): number =>
  a === b ? 0 : a === null ? 1 : b === null ? -1 : naturally(a, b);

const collator = new Intl.Collator("en", { numeric: true });
const naturally = (a: string, b: string): number => collator.compare(a, b) || byName(a, b);

export interface Choice {
  readonly query: string;
  readonly kind: Kind;
  readonly sort: { readonly key: string; readonly isDescending: boolean };
}

/** Equals keep the order of names. */
export function chooseVms(rows: readonly VmRow[], { query, kind, sort }: Choice): readonly VmRow[] {
  const fits = matcherOf(query);
  const chosen = rows.filter((row) => TESTS[kind](row) && fits(row));
  const key = KEYS[sort.key];
  if (key === undefined) return chosen;
  const sign = sort.isDescending ? -1 : 1;
  return chosen.sort((a, b) => sign * (key(a, b) || naturally(a.name, b.name)));
}
