/** Colours, only when told. Everything that is printed in colour also says it in words. */
import type { Action } from "../../model/changes.ts";

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  cyan: [36, 39],
} as const;

export type Hue = keyof typeof CODES;
export type Paint = (hue: Hue, text: string) => string;

export const paintWith = (colour: boolean): Paint =>
  colour ? (hue, text) => `\u001b[${CODES[hue][0]}m${text}\u001b[${CODES[hue][1]}m` : (_, text) => text;

/** Red is for what the guest notices badly, yellow for what it notices, green for what is new. */
export const ACTION_HUES: Readonly<Record<Action, Hue>> = {
  create: "green",
  boot: "green",
  update: "cyan",
  migrate: "blue",
  reboot: "yellow",
  stop: "yellow",
  replace: "red",
  destroy: "red",
};
