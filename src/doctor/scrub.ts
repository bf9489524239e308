/**
 * Takes out of a text what may be a secret, before it leaves the server. Pure.
 *
 * Two nets: what is known to be secret (the agent's own tokens) wherever it stands, and what looks like one. Better a word too
 * many than a password in an archive that is mailed around.
 */

const LEFT_OUT = "[left out]";

const LIKELY: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, LEFT_OUT],
  [/\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${LEFT_OUT}`],
  // user:password@host, and user%password@ as iSCSI has it.
  [/:\/\/[^\s/@]+[:%][^\s/@]*@/g, `://${LEFT_OUT}@`],
  [
    /((?:[\w-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key|credentials?|authorization))["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&"']+)/gi,
    `$1${LEFT_OUT}`,
  ],
  // /etc/shadow's form: $6$salt$hash
  [/\$(1|2[aby]|5|6|7|y|gy)\$[\w./$=,-]{16,}/g, LEFT_OUT],
];

/** Shorter ones would take half of the text with them. */
const SHORTEST_SECRET = 6;

/** `secrets`: texts that must not appear, whatever stands around them. */
export function scrub(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets.map((each) => each.trim()).filter((each) => each.length >= SHORTEST_SECRET))
    clean = clean.replaceAll(secret, LEFT_OUT);
  for (const [pattern, replacement] of LIKELY) clean = clean.replace(pattern, replacement);
  return clean;
}
