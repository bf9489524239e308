/** All that odorobo asks git for. No other file starts it or knows its words. */
import { type SimpleGit, simpleGit } from "simple-git";
import { OdoroboError } from "../model/errors.ts";
import type { RemoteUrl } from "./remote-url.ts";

export interface TreeEntry {
  readonly path: string;
  readonly blobId: string;
  readonly bytes: number;
  readonly isLink: boolean;
}

/** Bound to one folder or bare repository. */
export class Git {
  readonly #folder: string;
  readonly #signal: AbortSignal;

  constructor(folder: string, signal: AbortSignal) {
    this.#folder = folder;
    this.#signal = signal;
  }

  async run(...args: string[]): Promise<string> {
    return await this.#guard(this.#open().raw(args));
  }

  /** Null instead of a rejection when git says no. */
  async ask(...args: string[]): Promise<string | null> {
    try {
      return (await this.run(...args)).trim();
    } catch (error) {
      this.#signal.throwIfAborted();
      if (isMissingBinary(error)) throw error;
      return null;
    }
  }

  /** In an empty folder. */
  async initBare(): Promise<void> {
    await this.run("init", "--bare", "--quiet");
  }

  /** Name of each ref → commit. */
  async remoteRefs(remote: RemoteUrl): Promise<ReadonlyMap<string, string>> {
    const output = await this.#guard(this.#open(remote).raw(["ls-remote", "--", remote.url]));
    const refs = new Map<string, string>();
    for (const line of output.split("\n")) {
      const [commit, name] = line.split("\t");
      if (commit && name) refs.set(name, commit);
    }
    return refs;
  }

  async fetch(remote: RemoteUrl, refspec: string): Promise<void> {
    const args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--force", "--", remote.url, refspec];
    await this.#guard(this.#open(remote).raw(args));
  }

  /** All files of a commit, below a folder when one is given. */
  async listTree(commit: string, folder: string): Promise<TreeEntry[]> {
    const limit = folder === "" ? [] : ["--", `${folder}/`];
    const output = await this.run("ls-tree", "-r", "-z", "--long", "--full-tree", commit, ...limit);
    const entries: TreeEntry[] = [];
    for (const record of output.split("\0")) {
      const match = /^(\d+) blob ([0-9a-f]+) +(\d+)\t(.*)$/s.exec(record);
      if (match === null) continue;
      const [, mode, blobId = "", bytes, path = ""] = match;
      entries.push({ path, blobId, bytes: Number(bytes), isLink: mode === "120000" });
    }
    return entries;
  }

  /** One process for all of them, in the order asked. */
  async readBlobs(blobIds: readonly string[]): Promise<Buffer[]> {
    if (blobIds.length === 0) return [];
    const output: Buffer = await this.#guard(this.#open(null, `${blobIds.join("\n")}\n`).binaryCatFile(["--batch"]));
    const blobs: Buffer[] = [];
    let offset = 0;
    for (const blobId of blobIds) {
      const lineEnd = output.indexOf(10, offset);
      const [id, type, bytes] = output.toString("latin1", offset, lineEnd).split(" ");
      if (id !== blobId || type !== "blob" || lineEnd === -1)
        throw new OdoroboError("SOURCE_UNREADABLE", `object ${blobId} of ${this.#folder} cannot be read`, {
          hint: "is the repository complete? git fsck tells",
        });
      blobs.push(output.subarray(lineEnd + 1, lineEnd + 1 + Number(bytes)));
      offset = lineEnd + 1 + Number(bytes) + 1;
    }
    return blobs;
  }

  #open(remote: RemoteUrl | null = null, input?: string): SimpleGit {
    return simpleGit({
      baseDir: this.#folder,
      abort: this.#signal,
      allowEnvironment: [...TRUSTED_ENVIRONMENT, ...OWN_ENVIRONMENT],
      unsafe: { allowUnsafeConfigEnvCount: true, allowUnsafeSshCommand: true, allowUnsafeAskPass: true },
      ...(input === undefined ? {} : { input: () => input }),
    }).env(environment(remote));
  }

  async #guard<Result>(task: PromiseLike<Result>): Promise<Result> {
    try {
      return await task;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!isMissingBinary(error)) throw error;
      throw new OdoroboError("SOURCE_UNREADABLE", "git is not installed", {
        cause: error,
        hint: "apt-get install git",
      });
    }
  }
}

/** How the person who starts us reaches repositories. What else begins with GIT_ (a hook's GIT_DIR) would lead astray. */
const TRUSTED_ENVIRONMENT = [
  "GIT_SSH",
  "GIT_SSH_COMMAND",
  "GIT_ASKPASS",
  "GIT_SSL_CAINFO",
  "GIT_SSL_CAPATH",
  "GIT_SSL_NO_VERIFY",
];
const OWN_ENVIRONMENT = ["GIT_TERMINAL_PROMPT", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"];

/** What git and ssh need of the person's surroundings. Nothing else goes along: simple-git refuses to run with an EDITOR or PAGER. */
const SURROUNDINGS =
  /^(PATH|HOME|USER|LOGNAME|LANG|TMPDIR|XDG_\w+|SSH_AUTH_SOCK|SSH_AGENT_PID|SSL_CERT_\w+|LD_LIBRARY_PATH|(https?|all|no)_proxy)$/i;

/** Credentials go by environment: arguments are seen by every user of the machine. */
function environment(remote: RemoteUrl | null): Record<string, string> {
  const kept: Record<string, string> = { GIT_TERMINAL_PROMPT: "0", LC_ALL: "C" };
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

const isMissingBinary = (error: unknown): boolean =>
  error instanceof OdoroboError ||
  (error instanceof Error && /spawn git\b.*ENOENT|ENOENT.*spawn git\b/.test(error.message));

/** The commit that a folder is at, and whether its files were edited since; no git, no commit. */
export async function describeWorkTree(
  folder: string,
  signal: AbortSignal,
): Promise<{ readonly commit: string | null; readonly isDirty: boolean }> {
  const git = new Git(folder, signal);
  try {
    const [commit, changes] = await Promise.all([
      git.ask("rev-parse", "--verify", "--quiet", "HEAD"),
      git.ask("status", "--porcelain", "--no-renames", "--", "."),
    ]);
    return { commit: commit || null, isDirty: commit !== null && changes !== null && changes !== "" };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof OdoroboError) return { commit: null, isDirty: false };
    throw error;
  }
}
