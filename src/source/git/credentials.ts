/**
 * Who we are to a repository's server, given to git by environment: arguments are seen by every user of the machine, and files of
 * git's own would outlive us.
 */
import { OdoroboError } from "../../model/errors.ts";
import { openSecretFile } from "../../platform/http/door/secret-file.ts";
import type { RemoteUrl } from "./remote-url.ts";

/** Paths of files, which are read each time that they are needed: what is put in their place is taken at once. */
export interface GitCredentials {
  /** A key without a passphrase. */
  readonly sshKeyFile?: string | undefined;
  /** The hosts that are known; null: those that ssh knows. Others are refused either way. */
  readonly knownHostsFile?: string | undefined;
  /** A password or token for HTTPS. */
  readonly tokenFile?: string | undefined;
  /** Goes with the token. Default: the one in the address, else one that GitHub, GitLab, Gitea and Forgejo take. */
  readonly username?: string | undefined;
  /** Certificates (PEM) that HTTPS servers may be signed by, instead of the system's. */
  readonly caFile?: string | undefined;
}

const DEFAULT_USERNAME = "x-access-token";

export interface Secrets {
  readonly username: string;
  readonly password: string;
}

/** `key=value` pairs of git's configuration, above all files. */
export type GitConfig = readonly (readonly [key: string, value: string])[];

/** Null: there are none. Rejects with AGENT_INSECURE when the token file is not there, holds none, or may be read by everybody. */
export async function secretsFor(remote: RemoteUrl, credentials: GitCredentials | undefined): Promise<Secrets | null> {
  if (remote.origin === null) return null;
  const tokenFile = credentials?.tokenFile;
  if (tokenFile === undefined) return remote.secrets;
  const username = credentials?.username ?? remote.secrets?.username ?? DEFAULT_USERNAME;
  return { username, password: await readToken(tokenFile) };
}

async function readToken(path: string): Promise<string> {
  const file = await openSecretFile(path, { what: "the token file", flag: "the repository's tokenFile" }, (text) => {
    const token = text.trim();
    // git is told by lines.
    if (token !== "" && !/\p{Cc}/u.test(token)) return token;
    const found = token === "" ? "nothing" : "more than a token";
    throw new OdoroboError("AGENT_INSECURE", `the token file ${path} holds ${found}`, {
      hint: "write the token, and nothing else, into it",
    });
  });
  return await file.read();
}

const USERNAME = "ODOROBO_GIT_USERNAME";
const PASSWORD = "ODOROBO_GIT_PASSWORD";

/**
 * Given only to the origin that they are for: a header would follow a redirect to anywhere. Other helpers are left out, as they
 * would be told to keep what worked.
 */
export function secretsForGit(
  origin: string,
  { username, password }: Secrets,
): { env: Record<string, string>; config: GitConfig } {
  const say = `!say() { test "$1" = get && printf 'username=%s\\npassword=%s\\n' "$${USERNAME}" "$${PASSWORD}"; }; say`;
  return {
    env: { [USERNAME]: username, [PASSWORD]: password },
    config: [
      ["credential.helper", ""],
      [`credential.${origin}.helper`, say],
    ],
  };
}

/**
 * For somebody who is not there to be asked: no question, and no host that is not known already. `before`: the command that the
 * person who started us has chosen.
 */
export function sshCommand({ sshKeyFile, knownHostsFile }: GitCredentials, before = "ssh"): string {
  const options = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    "ConnectTimeout=20",
    "ServerAliveInterval=15",
  ];
  if (sshKeyFile !== undefined) options.push("IdentitiesOnly=yes", `IdentityFile=${forSsh(sshKeyFile)}`);
  if (knownHostsFile !== undefined)
    options.push(
      `UserKnownHostsFile=${forSsh(knownHostsFile)}`,
      "GlobalKnownHostsFile=/dev/null",
      "KnownHostsCommand=none",
    );
  return [before, ...options.flatMap((option) => ["-o", forShell(option)])].join(" ");
}

/** ssh takes `%h` for the host, `~` for a home, `${X}` for a variable, and blanks as the end of a name. */
const forSsh = (path: string): string => `"${path.replaceAll("%", "%%").replaceAll(/["\\]/g, "\\$&")}"`;

export const forShell = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
