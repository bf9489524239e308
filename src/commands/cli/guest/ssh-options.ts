/** What OpenSSH's clients (ssh, scp) are told to reach one guest. Pure. */
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { Way } from "./ways.ts";

export interface SshTarget {
  readonly way: Way;
  readonly alias: string;
  readonly knownHosts: string;
  /** `console`: only who has the keys that the guest said on its serial line is believed. `first-use`: who answers first. */
  readonly trust: "console" | "known" | "first-use";
  /** Null: as OpenSSH's own configuration says. */
  readonly identity: string | null;
  /** Who one is at the node; null: as OpenSSH's own configuration says. */
  readonly jumpUser: string | null;
}

/** Options that ssh and scp share: -o alone. */
export function sshOptions(target: SshTarget): string[] {
  const { way, alias, knownHosts, trust, identity, jumpUser } = target;
  const option = (name: string, value: string) => ["-o", `${name}=${value}`];
  return [
    ...option("HostKeyAlias", alias),
    ...option("UserKnownHostsFile", quoted(knownHosts)),
    ...option("GlobalKnownHostsFile", "/dev/null"),
    ...option("CheckHostIP", "no"),
    // Debian hashes names: whether this guest is known could not be told then.
    ...option("HashKnownHosts", "no"),
    // Its own keys, and no other name's: certificates and DNS say nothing of guests.
    ...option("StrictHostKeyChecking", trust === "first-use" ? "accept-new" : "yes"),
    ...(way.jump === null
      ? []
      : option("ProxyJump", `${jumpUser === null ? "" : `${jumpUser}@`}${bracketed(way.jump)}`)),
    ...(identity === null ? [] : ["-i", identity]),
  ];
}

/** What stands behind the last colon would be a port. */
const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** OpenSSH splits this one at blanks. */
const quoted = (path: string): string => (/\s/.test(path) ? `"${path}"` : path);

/** The user of distributions' images, for who has not said one: by the name of the image. */
const DEFAULT_USERS: readonly (readonly [image: RegExp, user: string])[] = [
  [/^debian/, "debian"],
  [/^ubuntu/, "ubuntu"],
  [/^fedora/, "fedora"],
  [/^alpine/, "alpine"],
  [/^arch/, "arch"],
  [/^(alma|almalinux)/, "almalinux"],
  [/^rocky/, "rocky"],
  [/^(flatcar|coreos|fedora-coreos)/, "core"],
];

/** Null: nobody knows. */
export function guestUser({ cloudInit, disks }: Pick<VmSpec, "cloudInit" | "disks">): string | null {
  if (cloudInit?.user !== undefined) return cloudInit.user;
  const [root] = disks;
  if (root === undefined || root.origin.kind !== "image") return null;
  const { image } = root.origin;
  return DEFAULT_USERS.find(([name]) => name.test(image))?.[1] ?? null;
}
