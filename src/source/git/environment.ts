/** What git is told of its surroundings, and what it is kept from seeing. */
import {
  forShell,
  type GitConfig,
  type GitCredentials,
  type Secrets,
  secretsForGit,
  sshCommand,
} from "./credentials.ts";
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
  "GIT_INDEX_FILE",
  "GIT_ATTR_NOSYSTEM",
];

/** What git and ssh need of the person's surroundings. Nothing else goes along: simple-git refuses to run with an EDITOR or PAGER. */
const SURROUNDINGS =
  /^(PATH|HOME|USER|LOGNAME|LANG|TMPDIR|XDG_\w+|SSH_AUTH_SOCK|SSH_AGENT_PID|SSL_CERT_\w+|LD_LIBRARY_PATH|(https?|all|no)_proxy)$/i;

/** For what is read on this machine. */
export function gitEnvironment(): Record<string, string> {
  const kept: Record<string, string> = { ...READ_ONLY };
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && (SURROUNDINGS.test(name) || TRUSTED_ENVIRONMENT.includes(name))) kept[name] ??= value;
  }
  return kept;
}

/**
 * For a repository of somebody else. `credentials` undefined: as the person at the terminal reaches it, who may be asked by ssh;
 * given, though empty: nobody is asked anything.
 */
export function remoteEnvironment(
  { origin }: RemoteUrl,
  credentials: GitCredentials | undefined,
  secrets: Secrets | null,
): Record<string, string> {
  const environment = gitEnvironment();
  if (credentials !== undefined) {
    const { GIT_SSH_COMMAND: command, GIT_SSH: program } = environment;
    environment.GIT_SSH_COMMAND = sshCommand(credentials, command ?? (program && forShell(program)));
    delete environment.GIT_SSH;
    // Asks somebody at a screen.
    delete environment.GIT_ASKPASS;
    if (credentials.caFile !== undefined) {
      environment.GIT_SSL_CAINFO = credentials.caFile;
      delete environment.GIT_SSL_NO_VERIFY;
    }
  }
  if (secrets === null || origin === null) return environment;
  const { env, config } = secretsForGit(origin, secrets);
  return { ...environment, ...env, ...configEnvironment(config) };
}

export function configEnvironment(config: GitConfig): Record<string, string> {
  const environment: Record<string, string> = { GIT_CONFIG_COUNT: String(config.length) };
  for (const [index, [key, value]] of config.entries()) {
    environment[`GIT_CONFIG_KEY_${index}`] = key;
    environment[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return environment;
}
