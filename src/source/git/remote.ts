/** What odorobo asks a repository of somebody else: its refs, and what it lacks. */
import { resolve } from "node:path";
import { OdoroboError } from "../../model/errors.ts";
import { type GitCredentials, type Secrets, secretsFor } from "./credentials.ts";
import { remoteEnvironment } from "./environment.ts";
import { type Deadlines, type GitExit, runGit } from "./process.ts";
import { remoteRefusal } from "./remote-refusal.ts";
import { isRemote, parseRemote, type RemoteUrl } from "./remote-url.ts";

export interface RepositoryLocation {
  /** A folder, or an address that git can fetch from. Secrets in it are kept out of all that is shown. */
  readonly url: string;
  /** Undefined: as the person at the terminal reaches it, questions of ssh included. Given, though empty: nobody is asked. */
  readonly credentials?: GitCredentials | undefined;
}

/** A list of refs comes at once or not at all; of a large repository something is heard while it is put together. */
const LIST: Deadlines = { quietMs: 30_000, totalMs: 60_000 };
const FETCH: Deadlines = { quietMs: 60_000, totalMs: 3_600_000 };

export class GitRemote {
  readonly #remote: RemoteUrl;
  readonly #credentials: GitCredentials | undefined;
  readonly #deadlines: { readonly list: Deadlines; readonly fetch: Deadlines };

  constructor({ url, credentials }: RepositoryLocation, deadlines: Partial<Deadlines> = {}) {
    // git is not always asked from where the person is.
    this.#remote = parseRemote(isRemote(url) ? url : resolve(url));
    this.#credentials = credentials;
    this.#deadlines = { list: { ...LIST, ...deadlines }, fetch: { ...FETCH, ...deadlines } };
  }

  /** Without passwords and tokens. */
  get url(): string {
    return this.#remote.url;
  }

  /** Name of each ref → object; `NAME^{}`: the commit that a tag names. Rejects with SOURCE_UNREADABLE, or AGENT_INSECURE for a token file. */
  async refs(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    // As if outside of any repository: one of the other object format could not be asked from within.
    const args = ["--git-dir=/nonexistent", "ls-remote", "--", this.url];
    const { stdout } = await this.#run(args, "/", this.#deadlines.list, signal);
    const refs = new Map<string, string>();
    for (const line of stdout.split("\n")) {
      const [id, name] = line.split("\t");
      if (id && name) refs.set(name, id);
    }
    return refs;
  }

  /** Into the bare repository `folder`. Rejects as `refs`. */
  async fetch(folder: string, refspec: string, signal: AbortSignal): Promise<void> {
    // A remote that is a shallow clone gives what it has. Progress is how it is known that the other side lives.
    const how = [
      "--progress",
      "--no-tags",
      "--no-write-fetch-head",
      "--no-auto-maintenance",
      "--update-shallow",
      "--force",
    ];
    await this.#run(["fetch", ...how, "--", this.url, refspec], folder, this.#deadlines.fetch, signal);
  }

  async #run(args: readonly string[], folder: string, deadlines: Deadlines, signal: AbortSignal): Promise<GitExit> {
    const secrets = await secretsFor(this.#remote, this.#credentials);
    const env = remoteEnvironment(this.#remote, this.#credentials, secrets);
    const isAlone = this.#credentials !== undefined;
    const exit = await runGit({ args, folder, env, isAlone, deadlines }, signal);
    if (exit.code === 0 && !exit.isLate) return exit;
    const said = withoutSecrets(exit.stderr.trim(), secrets);
    throw await remoteRefusal({ url: this.url, said, exit, deadlines, credentials: this.#credentials }, signal);
  }
}

/** A server may say back what it was told. */
function withoutSecrets(text: string, secrets: Secrets | null): string {
  if (secrets === null) return text;
  const { username, password } = secrets;
  const forms = [password, Buffer.from(`${username}:${password}`).toString("base64"), encodeURIComponent(password)];
  return forms.filter((form) => form !== "").reduce((rest, form) => rest.replaceAll(form, "…"), text);
}

export function refuseOption(what: string, text: string): void {
  if (text === "" || text.startsWith("-"))
    throw new OdoroboError("USAGE", `"${text}" is not a ${what}`, {
      hint: "such as --repo https://git.example.net/fleet.git --ref main",
    });
}
