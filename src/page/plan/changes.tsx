/** What changes, VM by VM: the sign, what it does to the guest, why, and where that is written. */
import { useState } from "preact/hooks";
import { ACTION_SYMBOLS, ACTIONS, type Action, type Change, type Reason } from "../../model/changes.ts";
import { describeImpact } from "../../report/plan/impact.ts";
import { plural } from "../../report/words/names.ts";
import { showDifference } from "../../report/words/values.ts";
import { type Links, Place } from "../parts/place.tsx";
import { ACTION_TONES, CLASS_TONES } from "../parts/signs.ts";
import { Tag } from "../parts/state.tsx";
import { vmHref } from "../route.ts";

interface ChangesProps {
  readonly changes: readonly Change[];
  readonly fleet: string | null;
  readonly links: Links | null;
}

/** Of more only these are drawn until somebody asks for the rest. */
const MOST_AT_FIRST = 100;

export function Changes({ changes, fleet, links }: ChangesProps) {
  const [most, setMost] = useState(MOST_AT_FIRST);
  if (changes.length === 0) return null;
  return (
    <section aria-label="Changes">
      <h2>What changes</h2>
      <Legend changes={changes} />
      <ul class="changes">
        {changes.slice(0, most).map((change) => (
          <ChangeItem key={change.name} change={change} fleet={fleet} links={links} />
        ))}
      </ul>
      {changes.length > most ? (
        <button type="button" onClick={() => setMost(most + 500)}>
          {plural(changes.length - most, "more change", "more changes")}
        </button>
      ) : null}
    </section>
  );
}

interface ChangeItemProps {
  readonly change: Change;
  readonly fleet: string | null;
  readonly links: Links | null;
}

export function ChangeItem({ change, fleet, links }: ChangeItemProps) {
  const { name, action, node, fromNode, reasons, rejected = [] } = change;
  const impact = describeImpact(change);
  return (
    <li class="change">
      <p class="change-head">
        <span class={`sign tone-${ACTION_TONES[action]}`} title={WORDS[action]}>
          {ACTION_SYMBOLS[action]}
        </span>
        <strong>{fleet === null ? name : <a href={vmHref(fleet, name)}>{name}</a>}</strong>
        <span class="hint">{fromNode === null ? `on ${node}` : `${fromNode} → ${node}`}</span>
        <Tag tone={ACTION_TONES[action]} text={action} title={WORDS[action]} />
        {change.class === (action as string) || action === "create" ? null : (
          <Tag tone={CLASS_TONES[change.class]} text={change.class} title={`class: ${change.class}`} />
        )}
        <span class="impact">{impact === "none" ? "the guest notices nothing" : `the guest: ${impact}`}</span>
      </p>
      <ul class="reasons">
        {reasons.map((reason) => (
          <ReasonItem key={`${reason.field} ${reason.text}`} reason={reason} links={links} />
        ))}
      </ul>
      {rejected.length === 0 ? null : (
        <details class="rejected">
          <summary>Why not milder</summary>
          <ul>
            {rejected.map(({ chain, field, because }) => (
              <li key={`${chain.join()} ${field}`}>
                {chain.join(", then ")}
                {field === null ? "" : ` (${field})`}: {because}
              </li>
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}

function ReasonItem({ reason, links }: { readonly reason: Reason; readonly links: Links | null }) {
  const { text, because, field, from, to, source } = reason;
  // Most reasons say themselves from what to what.
  const isSaid = field === null || text.includes("→") || (from === null && to === null);
  const differences = isSaid ? [] : showDifference(field, from, to);
  return (
    <li>
      <span class={`because-${because}`}>{text}</span>
      {because === "git" || because === "placement" ? null : (
        <Tag tone={because === "drift" ? "warn" : "note"} text={because} />
      )}
      {differences.slice(0, 6).map((line) => (
        <code key={line} class="difference">
          {line}
        </code>
      ))}
      <Place place={source} links={links} />
    </li>
  );
}

const WORDS: Readonly<Record<Action, string>> = {
  create: "is made new",
  boot: "is started",
  update: "changes where it is",
  migrate: "goes to another node",
  reboot: "is restarted",
  stop: "is shut down",
  replace: "is made anew, without what its disks held",
  destroy: "goes; its disks are kept for a while",
};

/** As plans at the terminal have it: only the signs that are there. */
function Legend({ changes }: { readonly changes: readonly Change[] }) {
  const there = new Set(changes.map(({ action }) => action));
  return (
    <ul class="legend" aria-label="Signs">
      {ACTIONS.filter((action) => there.has(action)).map((action) => (
        <li key={action}>
          <span class={`sign tone-${ACTION_TONES[action]}`}>{ACTION_SYMBOLS[action]}</span> {WORDS[action]}
        </li>
      ))}
    </ul>
  );
}
