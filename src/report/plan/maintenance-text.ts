/** A node's maintenance told once: who leaves, who stops, and what becomes of them when it is over. The VMs' own reasons are told without it. */
import type { Change, Reason } from "../../model/changes.ts";
import type { NodeInMaintenance, Plan } from "../../plan/plan-document.ts";
import { plural, showNames } from "../words/names.ts";
import type { Paint } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";
import { describePlace } from "./describe-place.ts";

export const renderMaintenance = (plan: Plan, paint: Paint): string[] => [
  ...renderNodes(plan, paint),
  ...renderWaves(plan),
];

/** What to do where it cannot be done all at once: a manifest says what is to be, and not what comes first. */
function renderWaves({ waves }: Plan): string[] {
  if (waves === undefined) return [];
  const stuck = waves.stuck.length === 0 ? [] : [`  not even alone: ${showNames(waves.stuck)}`];
  return [
    "Not all nodes in maintenance can be emptied at once. They can in this order, with the others out of maintenance meanwhile (odorobo node undrain, or their manifests):",
    ...waves.waves.map((wave, index) => `  ${index + 1}. ${showNames(wave)}`),
    ...stuck,
  ];
}

function renderNodes({ maintenance = [], changes, blocked }: Plan, paint: Paint): string[] {
  return maintenance.flatMap(({ text, source }) => {
    const mine = changes.filter(({ reasons }) => reasons.some((reason) => reason.text.startsWith(text)));
    const held = blocked.filter(({ message }) => message.startsWith(text)).length;
    const moved = mine.filter(({ action }) => action === "migrate").length;
    const stopped = mine.filter(({ action }) => action === "stop").length;
    const other = mine.length - moved - stopped;
    const parts = [
      ...(moved > 0
        ? [
            `${plural(moved, "VM")} ${moved === 1 ? "leaves" : "leave"} it, and ${moved === 1 ? "stays" : "stay"} where ${moved === 1 ? "it goes" : "they go"} when it is over`,
          ]
        : []),
      ...(stopped > 0
        ? [
            `${plural(stopped, "VM")} ${stopped === 1 ? "stops" : "stop"} on it, ${stopped === 1 ? "keeps its" : "keep their"} room there, and the first apply after it starts ${stopped === 1 ? "it" : "them"} again`,
          ]
        : []),
      ...(other > 0
        ? [
            `${plural(other, "VM")} ${other === 1 ? "stands" : "stand"} still on it, and ${other === 1 ? "goes" : "go"} on with the first apply after it`,
          ]
        : []),
      ...(held > 0 ? [`${plural(held, "VM")} cannot leave it, see below: it is not empty before that`] : []),
    ];
    return [`${safeLine(text)}${paint("dim", describePlace(source))}`, ...parts.map((part) => `  ${part}`)];
  });
}

/** What is told of the node itself is not told again: a VM whose node is the only reason needs none of its own. */
export function withoutMaintenance(
  changes: readonly Change[],
  maintenance: readonly NodeInMaintenance[] = [],
): Change[] {
  if (maintenance.length === 0) return [...changes];
  return changes.map((change) => ({
    ...change,
    reasons: change.reasons.flatMap((reason): Reason[] => {
      const told = maintenance.find(({ text }) => reason.text.startsWith(text));
      if (told === undefined) return [reason];
      const rest = reason.text.slice(told.text.length).replace(/^(, and|;) /, "");
      return rest === "" ? [] : [{ ...reason, text: rest, source: null }];
    }),
  }));
}

/** `n1 is in maintenance`, for cells that are to say something. */
export function shortenMaintenance(text: string, maintenance: readonly NodeInMaintenance[] = []): string {
  const told = maintenance.find((each) => text.startsWith(each.text));
  return told === undefined ? text : `${told.node} is in maintenance${text.slice(told.text.length)}`;
}
