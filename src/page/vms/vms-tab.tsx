/** All VMs of a fleet in one list: searched, chosen by what is worth a look, sorted. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { VmRow } from "../../report/gateway/page-documents.ts";
import { plural } from "../../report/words/names.ts";
import { showMiB } from "../../report/words/values.ts";
import type { FleetVms } from "../data/fleet-vms.ts";
import { announce } from "../parts/announce.tsx";
import { Empty, Loading, Trouble } from "../parts/message.tsx";
import { isNarrow } from "../parts/narrow.ts";
import { useShortcuts } from "../parts/shortcuts.ts";
import { ACTION_TONES, CLASS_TONES, signOfVm } from "../parts/signs.ts";
import { State, Tag } from "../parts/state.tsx";
import { type GridColumn, VirtualGrid } from "../parts/virtual-grid.tsx";
import { When } from "../parts/when.tsx";
import { goTo, vmHref } from "../route.ts";
import { type Choice, chooseVms, countKinds, KIND_WORDS, KINDS } from "./filter-vms.ts";
import { listOf } from "./list-choice.ts";

const [ROW_PX, NARROW_ROW_PX] = [30, 52];

export function VmsTab({ fleet, vms: { rows, refused, seenAt } }: { readonly fleet: string; readonly vms: FleetVms }) {
  const choice = listOf(fleet);
  const { query, kind, sort } = choice.value;
  const chosen = useMemo(() => chooseVms(rows ?? [], { query, kind, sort }), [rows, query, kind, sort]);
  const counts = useMemo(() => countKinds(rows ?? []), [rows]);
  const columns = useMemo(() => columnsFor(fleet), [fleet]);
  const change = (part: Partial<Choice>): void => {
    choice.value = { ...choice.value, ...part };
  };
  if (rows === null) return refused === null ? <Loading what="the VMs" /> : <Trouble refused={refused} />;
  if (rows.length === 0)
    return (
      <Empty title="No VMs yet">
        Write a VirtualMachine manifest into the repository: the next revision makes it. <code>docs/manifests.md</code>{" "}
        has a first one.
      </Empty>
    );
  return (
    <>
      <div class="over-list">
        <Search query={query} found={chosen.length} onQuery={(query) => change({ query })} />
        <div class="kinds" role="group" aria-label="Only those that are">
          {KINDS.filter((each) => each === "all" || each === kind || counts[each] > 0).map((each) => (
            <button key={each} type="button" aria-pressed={each === kind} onClick={() => change({ kind: each })}>
              {KIND_WORDS[each]} <span class="number">{counts[each]}</span>
            </button>
          ))}
        </div>
        {refused === null ? null : <Tag tone="bad" text="not up to date" title={refused.message} />}
        {seenAt === null ? null : (
          <p class="hint">
            seen <When at={seenAt} />
          </p>
        )}
      </div>
      <VirtualGrid
        label={`VMs of ${fleet}`}
        kind="vms"
        rows={chosen}
        keyOf={nameOf}
        columns={columns}
        rowHeight={isNarrow.value ? NARROW_ROW_PX : ROW_PX}
        sorting={sort}
        onSort={(key) => change({ sort: { key, isDescending: sort.key === key && !sort.isDescending } })}
        onOpen={({ name }) => goTo(vmHref(fleet, name))}
        empty={<Empty title="None is so">Another word, or fewer: Esc in the search takes all words away.</Empty>}
      />
    </>
  );
}

const nameOf = ({ name }: VmRow): string => name;

const columnsFor = (fleet: string): readonly GridColumn<VmRow>[] => [
  {
    key: "name",
    title: "Name",
    sorts: true,
    cell: ({ name }) => (
      <a href={vmHref(fleet, name)} tabIndex={-1}>
        {name}
      </a>
    ),
  },
  { key: "state", title: "State", sorts: true, cell: (row) => <State sign={signOfVm(row)} /> },
  { key: "node", title: "Node", sorts: true, cell: ({ node }) => node ?? "–" },
  { key: "group", title: "Group", sorts: true, cell: ({ group }) => group ?? "" },
  { key: "cpus", title: "CPUs", sorts: true, isNumber: true, cell: ({ cpus }) => (cpus === 0 ? "" : cpus) },
  {
    key: "memory",
    title: "Memory",
    sorts: true,
    isNumber: true,
    cell: ({ memoryMiB }) => (memoryMiB === 0 ? "" : showMiB(memoryMiB)),
  },
  {
    key: "address",
    title: "Address",
    cell: ({ addresses }) => (
      <span class="clip" title={addresses.map(({ address, source }) => `${address} (${source})`).join(", ")}>
        {addresses[0]?.address.replace(/\/\d+$/, "") ?? ""}
      </span>
    ),
  },
  { key: "change", title: "To do", sorts: true, cell: (row) => <Owed row={row} /> },
];

const Owed = ({ row: { change, held, drift, pending, named } }: { readonly row: VmRow }) => (
  <span class="tags">
    {change === null ? null : (
      <Tag
        tone={ACTION_TONES[change.action] ?? "note"}
        text={change.action}
        title={`${change.action} (${change.class})`}
      />
    )}
    {held === null ? null : <Tag tone={held === "blocked" ? "bad" : "note"} text={held} />}
    {drift === null ? null : <Tag tone={CLASS_TONES[drift] === "off" ? "warn" : CLASS_TONES[drift]} text="drift" />}
    {pending ? <Tag tone="note" text="pending" title="Applied, and waits for the guest or its next boot" /> : null}
    {named || change !== null ? null : <Tag tone="off" text="in no manifest" />}
  </span>
);

interface SearchProps {
  readonly query: string;
  readonly found: number;
  readonly onQuery: (query: string) => void;
}

const SAY_AFTER_MS = 900;

function Search({ query, found, onQuery }: SearchProps) {
  const input = useRef<HTMLInputElement>(null);
  useShortcuts([{ keys: "/", what: "search", act: () => input.current?.focus() }]);
  const [isFirst, setFirst] = useState(true);
  useEffect(() => {
    if (isFirst) return setFirst(false);
    const timer = setTimeout(() => announce(`${plural(found, "VM")} found`), SAY_AFTER_MS);
    return () => clearTimeout(timer);
  }, [query]);
  return (
    <search>
      <input
        ref={input}
        type="search"
        class="search"
        aria-label="Search VMs"
        placeholder="Search: web-1 node:n2 crashed   ( / )"
        value={query}
        onInput={(event) => onQuery(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") {
            onQuery("");
            input.current?.blur();
          }
          if (event.key === "ArrowDown") {
            event.preventDefault();
            document.querySelector<HTMLElement>(".grid-vms")?.focus();
          }
        }}
      />
    </search>
  );
}
