/** Every run that the gateway keeps, the latest first. */
import { useMemo } from "preact/hooks";
import type { RunList, RunSummary } from "../../report/run-document.ts";
import { ofRuns } from "../data/concerns.ts";
import { useResource } from "../data/resource.ts";
import { Commit } from "../parts/commit.tsx";
import { Empty, Loading, Trouble } from "../parts/message.tsx";
import { isNarrow } from "../parts/narrow.ts";
import { signOfStatus } from "../parts/signs.ts";
import { State } from "../parts/state.tsx";
import { type GridColumn, VirtualGrid } from "../parts/virtual-grid.tsx";
import { When } from "../parts/when.tsx";
import { goTo, runHref } from "../route.ts";

export function RunsView() {
  const { document, refused } = useResource<RunList>("/v1/runs", ofRuns);
  const rows = useMemo(
    () => (document?.runs ?? []).toSorted((a, b) => (a.begunAt < b.begunAt ? 1 : a.begunAt > b.begunAt ? -1 : 0)),
    [document],
  );
  if (document === null) return refused === null ? <Loading what="the runs" /> : <Trouble refused={refused} />;
  return (
    <div class="fills">
      <div class="head">
        <h1>Runs</h1>
      </div>
      {document.unreadable.length === 0 ? null : (
        <p class="because">
          {document.unreadable.length} cannot be read: {document.unreadable.map(({ id }) => id).join(", ")}
        </p>
      )}
      <VirtualGrid
        label="Runs, latest first"
        kind="runs"
        rows={rows}
        keyOf={({ id }) => id}
        columns={COLUMNS}
        rowHeight={isNarrow.value ? 52 : 32}
        onOpen={({ id }) => goTo(runHref(id))}
        empty={
          <Empty title="Nothing was carried out yet">
            A run begins when a revision changes something. <a href="#/">See what each fleet is at</a>.
          </Empty>
        }
      />
    </div>
  );
}

const COLUMNS: readonly GridColumn<RunSummary>[] = [
  {
    key: "name",
    title: "Run",
    cell: ({ id }) => (
      <a href={runHref(id)} tabIndex={-1}>
        {id}
      </a>
    ),
  },
  { key: "state", title: "State", cell: ({ status }) => <State sign={signOfStatus(status)} /> },
  { key: "fleet", title: "Fleet", cell: ({ fleet }) => fleet },
  {
    key: "commit",
    title: "Commit",
    cell: ({ revision, planId, commit }) => <Commit revision={revision ?? planId} commit={commit} />,
  },
  {
    key: "steps",
    title: "Steps",
    cell: ({ counts }) => (
      <span class="number">
        {counts.done} of {counts.steps}
        {counts.failed > 0 ? `, ${counts.failed} failed` : ""}
      </span>
    ),
  },
  { key: "at", title: "Last", cell: ({ at }) => <When at={at} /> },
  { key: "by", title: "By", cell: ({ by, approvedBy }) => <span class="clip">{approvedBy ?? by}</span> },
];
