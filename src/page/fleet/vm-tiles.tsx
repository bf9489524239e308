/** The VMs of a node as small signs: many at a glance, each the way to its own page. */
import type { VmRow } from "../../report/gateway/page-documents.ts";
import { plural } from "../../report/words/names.ts";
import { type Sign, signOfVm } from "../parts/signs.ts";
import { Glyph } from "../parts/state.tsx";
import { fleetHref, vmHref } from "../route.ts";
import { listOf } from "../vms/list-choice.ts";

/** Of so few the names are shown beside the signs. */
const MOST_NAMED = 18;
/** More of one node are counted: the list has them all. */
const MOST_TILES = 60;

/** What needs a look is shown first. */
const URGENCY: readonly Sign["tone"][] = ["bad", "warn", "unknown", "busy", "note", "off", "good"];

export function VmTiles({ fleet, rows }: { readonly fleet: string; readonly rows: readonly VmRow[] }) {
  if (rows.length === 0) return <p class="hint">No VMs.</p>;
  const signed = rows.map((row) => ({ row, sign: signOfVm(row) }));
  const shown =
    rows.length <= MOST_TILES
      ? signed
      : signed.toSorted((a, b) => URGENCY.indexOf(a.sign.tone) - URGENCY.indexOf(b.sign.tone)).slice(0, MOST_TILES);
  const node = rows[0]?.node ?? null;
  const isNamed = rows.length <= MOST_NAMED;
  return (
    <ul class="tiles">
      {shown.map(({ row, sign }) => (
        <li key={row.name}>
          <a
            class={`tile${isNamed ? " is-named" : ""} tone-${sign.tone}${row.change === null && row.held === null ? "" : " will-change"}`}
            href={vmHref(fleet, row.name)}
            title={`${row.name}: ${sign.word}${row.change === null ? "" : `, to ${row.change.action}`}`}
            aria-label={`${row.name}: ${sign.word}${row.change === null ? "" : `, to ${row.change.action}`}`}
          >
            <Glyph shape={sign.shape} />
            {isNamed ? <span class="tile-name">{row.name}</span> : null}
          </a>
        </li>
      ))}
      {rows.length > shown.length ? (
        <li>
          <a
            class="tiles-more"
            href={fleetHref(fleet, "vms")}
            onClick={() => {
              if (node !== null) listOf(fleet).value = { ...listOf(fleet).value, query: `node:${node}`, kind: "all" };
            }}
          >
            and {plural(rows.length - shown.length, "more", "more")}
          </a>
        </li>
      ) : null}
    </ul>
  );
}

/** Only the signs that are there. */
export function SignsLegend({ rows }: { readonly rows: readonly VmRow[] }) {
  const counts = new Map<string, { readonly sign: Sign; count: number }>();
  for (const row of rows) {
    const sign = signOfVm(row);
    const known = counts.get(sign.word);
    if (known === undefined) counts.set(sign.word, { sign, count: 1 });
    else known.count++;
  }
  const sorted = [...counts.values()].sort((a, b) => b.count - a.count);
  return (
    <ul class="legend" aria-label="VMs by state">
      {sorted.map(({ sign, count }) => (
        <li key={sign.word} class={`state tone-${sign.tone}`}>
          <Glyph shape={sign.shape} />
          <span class="state-word">
            {sign.word} <span class="number">{count}</span>
          </span>
        </li>
      ))}
    </ul>
  );
}
