/**
 * Texts from manifests, agents and guests, made harmless for a terminal: an escape sequence in a label or in an error
 * must not move the cursor, hide a line of a plan or change the window's title.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** On one line, with every control and direction character spelled out: `\x1b`. */
export function safeLine(text: string): string {
  return text.replace(CONTROL, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\t") return "\\t";
    const code = character.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** As `safeLine`, with line breaks kept. */
export const safeLines = (text: string): string => text.split("\n").map(safeLine).join("\n");
