/** Why a repository of somebody else cannot be read → what a person should do. The words are git's and ssh's own, in the C locale. */
import { OdoroboError } from "../../model/errors.ts";
import type { GitCredentials } from "./credentials.ts";
import { howToKnowHost } from "./host-key.ts";
import type { Deadlines, GitExit } from "./process.ts";
import { gitRefusal } from "./refusal.ts";
import { withoutUserinfo } from "./remote-url.ts";

export interface RemoteFailure {
  readonly url: string;
  /** Without secrets. */
  readonly said: string;
  readonly exit: GitExit;
  readonly deadlines: Deadlines;
  readonly credentials: GitCredentials | undefined;
}

export async function remoteRefusal(failure: RemoteFailure, signal: AbortSignal): Promise<OdoroboError> {
  const { url, exit, deadlines, credentials } = failure;
  const said = withoutUserinfo(failure.said.replaceAll(PROGRESS, "")).trim();
  const cause = said === "" ? undefined : new Error(said);
  const refusal = (reason: string, hint: string) =>
    new OdoroboError("SOURCE_UNREADABLE", `the repository ${url} cannot be read${reason}`, { cause, hint });
  if (exit.isLate)
    return refusal(
      `: nothing came for ${Math.ceil(deadlines.quietMs / 1000)} s`,
      "is the server in order, and the line to it?",
    );
  if (/dubious ownership/.test(said)) return gitRefusal(url, cause);
  if (/No space left on device|Disk quota exceeded/i.test(said))
    return new OdoroboError("FILE_UNWRITABLE", `there is no room for what ${url} has`, {
      cause,
      hint: "make room where its copy is kept: XDG_CACHE_HOME, or the gateway's --data, chooses the place",
    });
  if (/Host key verification failed|host key is known for|IDENTIFICATION HAS CHANGED/i.test(said))
    return refusal(": its host key is not the one that is known", await howToKnowHost(url, said, credentials, signal));
  for (const [words, reason, hint] of REASONS) if (words.test(said)) return refusal(reason, hint(credentials ?? {}));
  return refusal("", "is the address right, and does git ls-remote reach it?");
}

/** Lines that were written over one another. */
const PROGRESS = /^(remote: )?(Enumerating|Counting|Compressing|Receiving|Resolving)[^\n]*\n?/gm;

const REASONS: readonly (readonly [words: RegExp, reason: string, hint: (given: GitCredentials) => string])[] = [
  [
    /Permission denied \(|Load key|UNPROTECTED PRIVATE KEY/i,
    ": it does not let this SSH key in",
    ({ sshKeyFile }) =>
      sshKeyFile === undefined
        ? "give a deploy key that the server knows, or load one into the agent: ssh-add"
        : `is the public half of ${sshKeyFile} a deploy key there, has the file no passphrase, and mode 0600?`,
  ],
  [
    /Authentication failed|could not read (Username|Password)|HTTP Basic: Access denied|error: 401/i,
    ": it does not let this token in",
    ({ tokenFile }) =>
      tokenFile === undefined
        ? "it asks who we are: give a file with a token that may read it"
        : `is what ${tokenFile} holds still valid, and may it read this repository?`,
  ],
  [/error: 403/i, ": it forbids reading", () => "may this token or user read it?"],
  [
    /unable to update url base from redirection|redirect/i,
    ": the address leads elsewhere",
    () => "was it renamed or moved? give its new address",
  ],
  [
    /certificate|SSL_|TLS/i,
    ": its certificate cannot be trusted",
    () => "is it signed by a CA of your own? give that CA's certificate as the CA file",
  ],
  [
    /Could not resolve host|Name or service not known|Temporary failure in name resolution/i,
    ": its host has no address",
    () => "is the name right, and does DNS work here?",
  ],
  [
    /Connection (refused|timed out|reset|closed)|Failed to connect|No route to host|Network is unreachable|hung up|early EOF/i,
    ": its server cannot be reached",
    () => "is it up, and does git ls-remote reach it?",
  ],
  [
    /not found|does not exist|not appear to be a git repository|access denied or repository not exported|No such/i,
    ": there is none that we may see",
    () => "is the address right, was it renamed, and may we read it? does git ls-remote reach it?",
  ],
];
