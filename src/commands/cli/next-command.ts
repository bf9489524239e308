/** "What to type next": the apply that does what this plan says. */

const ALONE = new Set(["--detailed-exitcode", "--verbose", "-v", "--no-color", "--json"]);
const WITH_VALUE = new Set(["--format", "--out", "-o", "--from", "--min-gain", "--hold"]);
/** A saved plan has been shaped by these already. */
const SHAPING = new Set(["--target", "--exclude", "--max-class", "--allow-destroy"]);

/** The same words again without those that only shaped the output; with `--out`, the file instead of what made it. */
export function nextApply(
  argv: readonly string[],
  flags: { readonly out?: string | undefined },
  folder: string | undefined,
): string {
  if (flags.out === undefined) return ["odorobo apply", ...keep(argv, WITH_VALUE).map(quote)].join(" ");
  // The agents' addresses are still read from the fleet.
  const words = keep(argv, new Set([...WITH_VALUE, ...SHAPING]));
  if (folder !== undefined) words.splice(words.indexOf(folder), 1, "--fleet", folder);
  return ["odorobo apply", flags.out, ...words].map((word, index) => (index === 0 ? word : quote(word))).join(" ");
}

function keep(argv: readonly string[], withValue: ReadonlySet<string>): string[] {
  const words: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] as string;
    if (withValue.has(word)) index++;
    else if (!ALONE.has(word) && !withValue.has(word.split("=")[0] as string)) words.push(word);
  }
  return words;
}

export const quote = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** `--state`, for commands on runs that are kept elsewhere; empty: they find them. */
export const placeOfState = (state: string | undefined): string =>
  state === undefined ? "" : `--state ${quote(state)}`;
