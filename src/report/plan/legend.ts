/** What the signs before changes mean, for whoever sees them for the first time: only those that are there. */
import { CHANGE_CLASSES, type ChangeClass } from "../../model/change-class.ts";
import { ACTION_SYMBOLS, ACTIONS, type Action, type Change } from "../../model/changes.ts";
import type { Paint } from "../words/paint.ts";

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

const CLASSES: Readonly<Record<ChangeClass, string>> = {
  none: "takes nothing",
  metadata: "is only noted",
  live: "can be done as it runs",
  pause: "takes a pause",
  migrate: "takes a move",
  reboot: "takes a restart",
  replace: "takes a new VM",
  destroy: "takes its end",
};

/** `signs: » goes to another node   . is shut down`; the classes where some VM's reasons ask for different ones. */
export function renderLegend(changes: readonly Change[], paint: Paint): string[] {
  const actions = new Set(changes.map(({ action }) => action));
  const mixed = changes
    .map(({ reasons }) => new Set(reasons.map((reason) => reason.class)))
    .filter(({ size }) => size > 1);
  const classes = new Set(mixed.flatMap((each) => [...each]));
  const words = [
    ...ACTIONS.filter((action) => actions.has(action)).map((action) => `${ACTION_SYMBOLS[action]} ${WORDS[action]}`),
    ...CHANGE_CLASSES.filter((each) => classes.has(each)).map((each) => `[${each}] ${CLASSES[each]}`),
  ];
  return inLines(words).map((line, index) => paint("dim", `  ${index === 0 ? "signs:" : "      "} ${line}`));
}

const WIDEST = 92;

function inLines(words: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const longer = `${lines.at(-1)}   ${word}`;
    if (lines.length === 0 || longer.length > WIDEST) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}
