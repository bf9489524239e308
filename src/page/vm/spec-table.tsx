/** Field by field: what the manifests say, what was applied, what runs. What differs is marked, and said. */
import type { LiveConfig } from "../../model/observed-state.ts";
import type { VmSpec } from "../../model/vm-spec.ts";
import type { GatewayVm } from "../../report/gateway/page-documents.ts";
import { showValue } from "../../report/words/values.ts";

interface Row {
  readonly path: string;
  readonly desired: string | null;
  readonly applied: string | null;
  /** Null: nothing runs, or it is nothing that a hypervisor could be asked. */
  readonly live: string | null;
}

export function SpecTable({ vm: { desired, live } }: { readonly vm: GatewayVm }) {
  const rows = rowsOf(desired?.spec ?? null, live?.report.spec ?? null, live?.report.live ?? null);
  if (rows.length === 0) return null;
  return (
    <section class="table-box spec" aria-label="Specification" tabIndex={0}>
      <table>
        <caption>
          What it should be, and what it is
          <span class="hint narrow-only"> · what is the same is said once</span>
        </caption>
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">In the manifests</th>
            <th scope="col">Applied</th>
            <th scope="col">Runs</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ path, desired: should, applied, live: runs }) => (
            <tr key={path}>
              <th scope="row">
                <code>{path}</code>
              </th>
              <Cell column="In the manifests" text={should} before={null} />
              <Cell column="Applied" text={applied} before={should} />
              <Cell column="Runs" text={runs} before={applied} />
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface CellProps {
  readonly column: string;
  readonly text: string | null;
  /** In the column before, null where that is empty: another text differs, the same is not said again on a narrow screen. */
  readonly before: string | null;
}

function Cell({ column, text, before }: CellProps) {
  const differs = before !== null && text !== null && text !== before;
  const isNew = text !== null && text !== before;
  return (
    <td data-column={column} class={`${differs ? "differs" : ""} ${isNew ? "" : "adds-nothing"}`.trim()}>
      {text ?? <span class="hint">–</span>}
      {differs ? <span class="unseen"> (differs)</span> : null}
    </td>
  );
}

type Spec = Partial<VmSpec & LiveConfig>;

const SHOWN: readonly (readonly [path: string, read: (spec: Spec) => unknown])[] = [
  ["hypervisor", ({ hypervisor }) => hypervisor],
  ["runStrategy", ({ runStrategy }) => runStrategy],
  ["cpus.count", ({ cpus }) => cpus?.count],
  ["cpus.max", ({ cpus }) => cpus?.max],
  ["memory.size", ({ memory }) => memory?.sizeMiB],
  ["memory.max", ({ memory }) => memory?.maxMiB],
  ["boot", ({ boot }) => boot],
  ["cloudInit", ({ cloudInit }) => cloudInit],
  ["ready", ({ ready }) => ready],
  ["group", ({ group }) => group],
  ["onDrain", ({ onDrain }) => onDrain],
  ["migration.mode", ({ migration }) => migration?.mode],
  ["protect", ({ protect }) => protect],
  ["labels", ({ labels }) => labels],
  ["weights", ({ weights }) => weights],
];

function rowsOf(desired: VmSpec | null, applied: VmSpec | null, live: LiveConfig | null): readonly Row[] {
  const specs: readonly (Spec | null)[] = [desired, applied, live];
  const rowOf = (path: string, read: (spec: Spec) => unknown): Row => {
    const [should, was, runs] = specs.map((spec) => {
      const value = spec === null ? undefined : read(spec);
      return value === undefined ? null : showValue(path, value);
    });
    return { path, desired: should ?? null, applied: was ?? null, live: runs ?? null };
  };
  const named = (["disks", "nics"] as const).flatMap((list) => {
    const names = new Set(specs.flatMap((spec) => (spec?.[list] ?? []).map(({ name }) => name)));
    return [...names].map((name) =>
      rowOf(`${list}.${name}`, (spec) => {
        const all = spec[list];
        if (all === undefined) return undefined;
        const { name: _, ...rest } = all.find((each) => each.name === name) ?? { name };
        return all.some((each) => each.name === name) ? rest : null;
      }),
    );
  });
  return [...SHOWN.map(([path, read]) => rowOf(path, read)), ...named].filter(({ desired, applied, live }) =>
    [desired, applied, live].some((text) => text !== null && text !== "none"),
  );
}
