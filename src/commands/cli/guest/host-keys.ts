/**
 * By what a guest's SSH server is known. A first boot of cloud-init says the keys that it made on the serial line, which is the agent's and not
 * the network's: who answers at the guest's address is compared with that (ADR 57). Pure.
 */

/** `ssh-ed25519 AAAA…`, without the comment. */
export type HostKey = string;

const KEY = /(?:^|\s)((?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp\d+) [A-Za-z0-9+/]{32,}={0,3})(?=\s|$)/;

/** Those that were said last: an instance that was set up anew has others. Empty: none were said, or not to the end. */
export function keysOnConsole(log: string): readonly HostKey[] {
  const begin = log.lastIndexOf("-----BEGIN SSH HOST KEY KEYS-----");
  const end = log.indexOf("-----END SSH HOST KEY KEYS-----", begin);
  if (begin < 0 || end < 0) return [];
  const lines = log.slice(begin, end).split(/\r?\n/);
  return [...new Set(lines.flatMap((line) => KEY.exec(line)?.[1] ?? []))];
}

/** What the guest is called in known_hosts: its address is no name, and tomorrow another guest's. */
export const hostKeyAlias = (vm: string, fleet: string | null): string => `${vm}.${fleet ?? "by-hand"}.odorobo`;

/** `known` with these keys for this guest instead of what was there for it; the very same text where nothing changes. */
export function withHostKeys(known: string, alias: string, keys: readonly HostKey[]): string {
  const lines = known.split("\n").filter((line) => line !== "");
  const others = lines.filter((line) => line.split(" ")[0] !== alias);
  const text = [...others, ...keys.map((key) => `${alias} ${key}`)].map((line) => `${line}\n`).join("");
  return sameLines(text, known) ? known : text;
}

export const hasHostKeys = (known: string, alias: string): boolean =>
  known.split("\n").some((line) => line.split(" ")[0] === alias);

const sameLines = (one: string, other: string): boolean =>
  [...one.split("\n")].sort().join("\n") === [...other.split("\n")].sort().join("\n");
