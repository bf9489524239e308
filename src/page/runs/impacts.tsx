/** What a plan does to whom, the worst first: what somebody who says yes to it has to have seen. */
import { CHANGE_CLASSES } from "../../model/change-class.ts";
import type { Change } from "../../model/changes.ts";
import { describeImpact } from "../../report/plan/impact.ts";
import { plural, showNames } from "../../report/words/names.ts";
import { CLASS_TONES, type Tone } from "../parts/signs.ts";
import { Tag } from "../parts/state.tsx";

interface Impact {
  readonly words: string;
  readonly worst: number;
  readonly names: readonly string[];
}

export function Impacts({ changes }: { readonly changes: readonly Change[] }) {
  return (
    <ul class="impacts" aria-label="What it does to whom">
      {impactsOf(changes).map(({ words, worst, names }) => (
        <li key={words}>
          <Tag tone={toneOf(worst)} text={plural(names.length, "VM")} /> <strong>{words}</strong>
          <span class="names">{showNames(names).slice(0, 400)}</span>
        </li>
      ))}
    </ul>
  );
}

const toneOf = (worst: number): Tone => CLASS_TONES[CHANGE_CLASSES[worst] ?? "none"];

function impactsOf(changes: readonly Change[]): readonly Impact[] {
  const all = Map.groupBy(changes, (change) => {
    if (change.action === "create") return "made new";
    if (change.action === "boot") return "started";
    const impact = describeImpact(change);
    return impact === "none" ? "notice nothing" : impact;
  });
  return [...all]
    .map(([words, mine]) => ({
      words,
      worst: Math.max(...mine.map((change) => (isNew(change) ? 0 : CHANGE_CLASSES.indexOf(change.class)))),
      names: mine.map(({ name }) => name as string),
    }))
    .sort((a, b) => b.worst - a.worst);
}

const isNew = ({ action }: Change): boolean => action === "create" || action === "boot";
