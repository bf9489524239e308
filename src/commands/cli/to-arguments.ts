/** Flags as they were given → the arguments that give them again, from any folder. */
import { resolve } from "node:path";

export type GivenFlags = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** Flags of the agent and of the gateway that name a file or a folder. */
const PATHS = new Set([
  ...["data", "run", "token-file", "tls-cert", "tls-key", "tls-client-ca", "hooks", "access-file", "allow-path"],
  ...["config", "ssh-key", "known-hosts", "repo-token-file", "listen-token-file", "tls-ca"],
]);
/** Those that may also be a name on the PATH. */
const PROGRAMS = new Set(["qemu", "cloud-hypervisor"]);

export function toArguments(flags: GivenFlags): readonly string[] {
  return Object.entries(flags).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    if (value === true) return [`--${name}`];
    const values = typeof value === "object" ? value : [String(value)];
    return values.flatMap((each) => [`--${name}`, spell(name, each)]);
  });
}

function spell(name: string, value: string): string {
  const isPath = PATHS.has(name) || (PROGRAMS.has(name) && value.includes("/"));
  return isPath ? resolve(value) : value;
}
