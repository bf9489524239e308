/** All that odorobo asks git for on this machine; what it asks of others is in `remote.ts`. */
import { type SimpleGit, simpleGit } from "simple-git";
import { OdoroboError } from "../../model/errors.ts";
import { ALLOWED_ENVIRONMENT, gitEnvironment } from "./environment.ts";
import { damage, gitRefusal } from "./refusal.ts";

/** A file, link (mode 120000) or submodule (160000) of a commit. */
export interface TreeEntry {
  readonly path: string;
  readonly blobId: string;
  readonly mode: string;
}

/** What the index says of a path below a folder. */
export interface IndexEntry {
  readonly path: string;
  readonly mode: string;
  /** In the middle of a merge: several versions stand beside each other. */
  readonly isUnmerged: boolean;
  /** Left out of the work tree on purpose (a sparse checkout). */
  readonly isSkipped: boolean;
}

export interface Attribute {
  readonly path: string;
  readonly name: string;
  readonly value: string;
}

export type AttributeSource =
  | { readonly kind: "work-tree" }
  | { readonly kind: "index"; readonly gitFolder: string; readonly indexFile: string };

export type ObjectFormat = "sha1" | "sha256";

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

  /** As `run`, but what git refuses is told as SOURCE_UNREADABLE. */
  async read(...args: string[]): Promise<string> {
    return await this.#orRefusal(this.run(...args));
  }

  /** Null instead of a rejection when git knows no such thing. */
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
  async initBare(objectFormat: ObjectFormat): Promise<void> {
    await this.run("init", "--bare", "--quiet", `--object-format=${objectFormat}`);
  }

  /** All files, links and submodules of a commit; only at and below these paths when some are given. */
  async listTree(commit: string, paths: readonly string[]): Promise<TreeEntry[]> {
    const limit = paths.length === 0 ? [] : ["--", ...paths];
    const output = await this.read("ls-tree", "-r", "-z", "--full-tree", commit, ...limit);
    const entries: TreeEntry[] = [];
    for (const record of output.split("\0")) {
      const [, mode, blobId, path] = /^(\d+) (?:blob|commit) ([0-9a-f]+)\t(.*)$/s.exec(record) ?? [];
      if (mode !== undefined && blobId !== undefined && path !== undefined) entries.push({ path, blobId, mode });
    }
    return entries;
  }

  /** Of the folder that this is bound to, relative to it. */
  async listIndex(): Promise<IndexEntry[]> {
    const output = await this.read("ls-files", "-z", "-t", "--stage");
    const entries: IndexEntry[] = [];
    for (const record of output.split("\0")) {
      const [, tag, mode, stage, path] = /^(\S) (\d+) [0-9a-f]+ (\d)\t(.*)$/s.exec(record) ?? [];
      if (mode !== undefined && path !== undefined)
        entries.push({ path, mode, isUnmerged: stage !== "0", isSkipped: tag === "S" || tag === "s" });
    }
    return entries;
  }

  /** What `.gitattributes` say of these paths: of the work tree, or, from the root, of a commit. */
  async attributes(paths: readonly string[], names: readonly string[], of: AttributeSource): Promise<Attribute[]> {
    if (paths.length === 0) return [];
    const how =
      of.kind === "work-tree"
        ? ["check-attr"]
        : [`--git-dir=${of.gitFolder}`, "-c", "core.attributesFile=", "check-attr", "--cached"];
    const env = of.kind === "work-tree" ? {} : { GIT_INDEX_FILE: of.indexFile, GIT_ATTR_NOSYSTEM: "1" };
    const input = paths.map((path) => `${path}\0`).join("");
    const output = await this.#orRefusal(this.#guard(this.#open(input, env).raw([...how, "-z", "--stdin", ...names])));
    const fields = output.split("\0");
    const found: Attribute[] = [];
    for (let i = 0; i + 2 < fields.length; i += 3)
      found.push({ path: fields[i] ?? "", name: fields[i + 1] ?? "", value: fields[i + 2] ?? "" });
    return found;
  }

  /** An index of a commit, in a file of its own. */
  async writeIndex(commit: string, indexFile: string): Promise<void> {
    await this.#orRefusal(this.#guard(this.#open(undefined, { GIT_INDEX_FILE: indexFile }).raw(["read-tree", commit])));
  }

  /** In the order asked. Null: the repository does not have it. */
  async sizesOf(blobIds: readonly string[]): Promise<(number | null)[]> {
    if (blobIds.length === 0) return [];
    const output = await this.#batch(["--batch-check"], blobIds);
    const sizes = new Map<string, number>();
    for (const line of output.toString("latin1").split("\n")) {
      const [id = "", type, bytes] = line.split(" ");
      if (type === "blob") sizes.set(id, Number(bytes));
    }
    return blobIds.map((id) => sizes.get(id) ?? null);
  }

  /** One process for all of them, in the order asked. */
  async readBlobs(blobIds: readonly string[]): Promise<Buffer[]> {
    if (blobIds.length === 0) return [];
    const output = await this.#batch(["--batch"], blobIds);
    const blobs: Buffer[] = [];
    let offset = 0;
    for (const blobId of blobIds) {
      const lineEnd = output.indexOf(10, offset);
      const [id, type, bytes] = output.toString("latin1", offset, lineEnd).split(" ");
      if (id !== blobId || type !== "blob" || lineEnd === -1 || lineEnd + 1 + Number(bytes) >= output.length)
        throw damage(
          `object ${blobId} of ${this.#folder} cannot be read`,
          undefined,
          "is the repository complete? git fsck tells",
        );
      blobs.push(output.subarray(lineEnd + 1, lineEnd + 1 + Number(bytes)));
      offset = lineEnd + 1 + Number(bytes) + 1;
    }
    return blobs;
  }

  async #batch(how: readonly string[], blobIds: readonly string[]): Promise<Buffer> {
    const asked: PromiseLike<Buffer> = this.#open(`${blobIds.join("\n")}\n`).binaryCatFile([...how]);
    return await this.#orRefusal(this.#guard(asked));
  }

  #open(input?: string, env: Readonly<Record<string, string>> = {}): SimpleGit {
    return simpleGit({
      baseDir: this.#folder,
      abort: this.#signal,
      allowEnvironment: [...ALLOWED_ENVIRONMENT],
      // By default it is content with a git that a signal has ended, with one that failed without a word, and with the part of
      // the output that it has read 50 ms after git was over.
      errors: (error, { exitCode, stdOut, stdErr }) =>
        error ?? (exitCode === 0 ? undefined : saidBy(exitCode, [...stdOut, ...stdErr])),
      completion: { onClose: true, onExit: false },
      unsafe: {
        allowUnsafeSshCommand: true,
        allowUnsafeAskPass: true,
        allowUnsafeConfigPaths: true,
      },
      ...(input === undefined ? {} : { input: () => input }),
    }).env({ ...gitEnvironment(), ...env });
  }

  async #orRefusal<Result>(task: Promise<Result>): Promise<Result> {
    try {
      return await task;
    } catch (error) {
      this.#signal.throwIfAborted();
      throw gitRefusal(this.#folder, error);
    }
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

const saidBy = (exitCode: number | null, said: readonly Buffer[]): Buffer =>
  said.some(({ length }) => length > 0)
    ? Buffer.concat(said)
    : Buffer.from(exitCode === null ? "git was ended by a signal" : `git ended with exit code ${exitCode}`);

const isMissingBinary = (error: unknown): boolean =>
  error instanceof OdoroboError ||
  (error instanceof Error && /spawn git\b.*ENOENT|ENOENT.*spawn git\b/.test(error.message));
