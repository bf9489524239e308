/** Texts that fit where forges take so many characters. */

/** On one line, without what a page could not show; by whole characters, with an ellipsis where something was cut. */
export function shorten(text: string, most: number): string {
  const line = text
    .replace(/\s+/g, " ")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, "")
    .trim();
  const characters = Array.from(line);
  return characters.length <= most ? line : `${characters.slice(0, most - 1).join("")}…`;
}
