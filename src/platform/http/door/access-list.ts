/**
 * The access file (`--access-file`): who may ask an agent for what. One credential a line, `#` begins a comment:
 *
 *   ci     apply   sha256:9f86d081884c7d65…         a token, by its hash
 *   alice  admin   cert-sha256:5E:88:48:98:DA:…     a client certificate, by its fingerprint
 *
 * A plain hash is enough: `odorobo agent token` makes tokens of 256 random bits, which nobody finds by trying, so neither
 * salt nor a slow hash would add anything. For words that people think up it would not be.
 *
 * Pure: text in, text out. `edit-access-file.ts` writes it, `http/door/access-file.ts` reads it.
 */
import { isRole, ROLES, type Role } from "../../../model/role.ts";

export const CREDENTIAL_KINDS = ["token", "certificate"] as const;
export type CredentialKind = (typeof CREDENTIAL_KINDS)[number];

export interface AccessEntry {
  /** From 1. */
  readonly line: number;
  readonly name: string;
  readonly role: Role;
  readonly kind: CredentialKind;
  /** sha256 of the token's text, or of the certificate's DER: 64 lower-case hex digits. */
  readonly digest: string;
}

export interface AccessList {
  readonly entries: readonly AccessEntry[];
  /** `line 3: …`, one for each line that is not as it should be. A list with problems is not to be used. */
  readonly problems: readonly string[];
}

/** What audit logs and tools can show as one word. */
const CALLER_NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/;
/** What the gate calls those who come in without being listed. */
const TAKEN_NAMES = ["loopback", "in-process"];
const PREFIXES: Readonly<Record<CredentialKind, string>> = { token: "sha256:", certificate: "cert-sha256:" };

export const CALLER_NAME_RULE = `a name has letters, digits, . _ @ and -, at most 63, begins with a letter or digit, and is not ${TAKEN_NAMES.join(" or ")}`;

export const isCallerName = (text: string): boolean => CALLER_NAME.test(text) && !TAKEN_NAMES.includes(text);

export function parseAccessList(text: string): AccessList {
  const entries: AccessEntry[] = [];
  const problems: string[] = [];
  for (const [index, content] of text.split("\n").entries()) {
    const words = wordsOf(content);
    if (words.length === 0) continue;
    const entry = parseEntry(words, index + 1);
    const problem = typeof entry === "string" ? entry : findConflict(entry, entries);
    if (problem !== null) problems.push(`line ${index + 1}: ${problem}`);
    else if (typeof entry !== "string") entries.push(entry);
  }
  return { entries, problems };
}

/** A new credential at the end of the text; everything that is there stays, comments too. */
export function withEntry(text: string, entry: Omit<AccessEntry, "line">): string {
  const before = text === "" || text.endsWith("\n") ? text : `${text}\n`;
  return `${before}${formatEntry(entry)}\n`;
}

/** Another digest in the same line. */
export function withDigest(text: string, { line }: AccessEntry, entry: Omit<AccessEntry, "line">): string {
  return changeLines(text, (content, number) => (number === line ? formatEntry(entry) + commentOf(content) : content));
}

export function withoutEntries(text: string, entries: readonly AccessEntry[]): string {
  const gone = new Set(entries.map(({ line }) => line));
  return changeLines(text, (content, number) => (gone.has(number) ? null : content));
}

function changeLines(text: string, change: (content: string, number: number) => string | null): string {
  const lines = text.split("\n").map((content, index) => change(content, index + 1));
  return lines.filter((content) => content !== null).join("\n");
}

const wordsOf = (content: string): string[] =>
  content
    .replace(/#.*$/, "")
    .split(/\s+/)
    .filter((word) => word !== "");

const commentOf = (content: string): string => /\s*#.*$/.exec(content)?.[0] ?? "";

const formatEntry = ({ name, role, kind, digest }: Omit<AccessEntry, "line">): string =>
  `${name} ${role} ${PREFIXES[kind]}${digest}`;

/** The entry, or what is wrong. Never says the credential: whoever wrote a token in its place would find it in the log. */
function parseEntry(words: readonly string[], line: number): AccessEntry | string {
  const [name = "", role = "", credential = ""] = words;
  if (words.length !== 3) return "it must be: NAME ROLE sha256:HEX, or NAME ROLE cert-sha256:FINGERPRINT";
  if (!isCallerName(name)) return CALLER_NAME_RULE;
  if (!isRole(role)) return `the role of ${name} must be one of ${ROLES.join(", ")}`;
  const kind = CREDENTIAL_KINDS.find((each) => credential.startsWith(PREFIXES[each]));
  if (kind === undefined) return `the credential of ${name} must begin with ${Object.values(PREFIXES).join(" or ")}`;
  const digest = credential.slice(PREFIXES[kind].length).replaceAll(":", "").toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(digest))
    return `the credential of ${name} must have 64 hex digits after ${PREFIXES[kind]}`;
  return { line, name, role, kind, digest };
}

function findConflict(entry: AccessEntry, entries: readonly AccessEntry[]): string | null {
  const twin = entries.find(({ kind, digest }) => kind === entry.kind && digest === entry.digest);
  if (twin !== undefined) return `${entry.name} has the credential of line ${twin.line}`;
  const other = entries.find(({ name, role }) => name === entry.name && role !== entry.role);
  return other === undefined ? null : `${entry.name} is ${entry.role} here and ${other.role} in line ${other.line}`;
}
