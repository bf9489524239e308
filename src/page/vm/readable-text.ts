/** What a guest wrote, as somebody would have read it at its terminal: without colours and cursor movements, other control signs spelled out. Pure. */
import { safeLine } from "../../report/words/safe-text.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences are what it looks for.
const SEQUENCE = /\u001b(?:\[[0-9;:?<=>]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])/g;

export const readableText = (text: string): string =>
  text
    .split(/\r*\n/)
    .map((line) => safeLine(line.replace(SEQUENCE, "").replace(/\t/g, "    ")))
    .join("\n");
