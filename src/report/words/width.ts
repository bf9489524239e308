/** How wide a text is on a terminal, and what of it fits. Names of folders may hold any letter; ours are narrow. */

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const NO_WIDTH = /\p{Mn}|\p{Me}|\p{Cf}/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one.
const COLOUR = /\u001b\[[0-9;]*m/g;

const widthOfOne = (character: string): number => (NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1);

/** In columns; colours take none. */
export const widthOf = (text: string): number => {
  const plain = text.replace(COLOUR, "");
  let width = 0;
  for (const character of plain) width += widthOfOne(character);
  return width;
};

/** Without colours in it. What does not fit ends in an ellipsis. */
export function clip(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let kept = "";
  let left = columns - 1;
  for (const character of text) {
    left -= widthOfOne(character);
    if (left < 0) break;
    kept += character;
  }
  return columns < 1 ? "" : `${kept}…`;
}

/** What is last of it and fits: of what somebody types. */
export function tail(text: string, columns: number): string {
  const characters = [...text];
  let left = columns;
  let from = characters.length;
  while (from > 0 && left >= widthOfOne(characters[from - 1] as string))
    left -= widthOfOne(characters[--from] as string);
  return characters.slice(from).join("");
}

/** Rows that these lines take on a terminal that breaks what is too long. */
export const rowsTaken = (lines: readonly string[], columns: number): number =>
  lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(widthOf(line) / columns)), 0);
