/** What git is told of its surroundings, and what it is kept from seeing. */
import type { RemoteUrl } from "./remote-url.ts";

/** How the person who starts us reaches repositories. What else begins with GIT_ (a hook's GIT_DIR) would lead astray. */
const TRUSTED_ENVIRONMENT = [
  "GIT_SSH",
  "GIT_SSH_COMMAND",
  "GIT_ASKPASS",
  "GIT_SSL_CAINFO",
  "GIT_SSL_CAPATH",
  "GIT_SSL_NO_VERIFY",
];

/** Reading changes nothing, not even the index's notes of what was looked at; and a commit is what its id says, whatever replaces it here. */
const READ_ONLY = { GIT_TERMINAL_PROMPT: "0", GIT_OPTIONAL_LOCKS: "0", GIT_NO_REPLACE_OBJECTS: "1", LC_ALL: "C" };

export const ALLOWED_ENVIRONMENT: readonly string[] = [
  ...TRUSTED_ENVIRONMENT,
  ...Object.keys(READ_ONLY),
  "GIT_CONFIG_COUNT",
  "GIT_CONFIG_KEY_0",
  "GIT_CONFIG_VALUE_0",
  "GIT_INDEX_FILE",
  "GIT_ATTR_NOSYSTEM",
];

/** What git and ssh need of the person's surroundings. Nothing else goes along: simple-git refuses to run with an EDITOR or PAGER. */
const SURROUNDINGS =
  /^(PATH|HOME|USER|LOGNAME|LANG|TMPDIR|XDG_\w+|SSH_AUTH_SOCK|SSH_AGENT_PID|SSL_CERT_\w+|LD_LIBRARY_PATH|(https?|all|no)_proxy)$/i;

/** Credentials go by environment: arguments are seen by every user of the machine. */
export function gitEnvironment(remote: RemoteUrl | null): Record<string, string> {
  const kept: Record<string, string> = { ...READ_ONLY };
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && (SURROUNDINGS.test(name) || TRUSTED_ENVIRONMENT.includes(name))) kept[name] ??= value;
  }
  if (remote === null || remote.credentials === null) return kept;
  return {
    ...kept,
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: `http.${remote.origin}.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(remote.credentials).toString("base64")}`,
  };
}
