/**
 * Revisions of a branch of a repository: looked for now and then, and at once when somebody says that it has moved. What cannot be
 * seen is no revision: it is told as trouble, and what was seen last stays.
 */
import { hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ReadingMemory } from "../../manifest/vm/reading-memory.ts";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { type Sleep, systemSleep } from "../../platform/sleep.ts";
import type { FoundRef, Repository } from "../../source/repository.ts";
import { loadFleetAt } from "../../turn/read-fleet.ts";
import type { ReadRevision, RevisionSource, SeenRevision, SourceTrouble } from "../loop/parts.ts";
import type { Revision, RevisionId } from "../revision/revision.ts";
import { printable, refuseRewind, refuseUnsigned } from "./refuse-commit.ts";
import { RevisionIds } from "./revision-ids.ts";

export interface GitSourceOptions {
  /** A branch, tag or commit; null: the repository's default branch. */
  readonly ref: string | null;
  /** A folder in the repository; null: all of it. */
  readonly path: string | null;
  /** The longest between two looks, while they find the repository. */
  readonly intervalMs: number;
  /** From 0 to 1: many gateways that began together do not look together for ever. */
  readonly jitter: () => number;
  /** A person said that what does not contain what is in force may follow it. */
  readonly allowRewind: boolean;
  /** A file of who may sign; null: nobody has to. */
  readonly requireSigned: string | null;
  readonly clock: Clock;
  readonly sleep?: Sleep;
}

/** A server is asked no more often, however much is said to have happened there. */
const LOOK_APART_MS = 1_000;
/** The longest wait for a repository that is away, in intervals. */
const BACK_OFF_AT_MOST = 10;
/** By how much of the interval a look may come sooner. */
const JITTER = 0.2;
const SUBJECT_AT_MOST = 72;
/** Revisions. To look whether there is something to tidy takes from the time in which a push is to be carried out. */
const TIDY_EVERY = 16;

export class GitSource implements RevisionSource {
  readonly #repository: Repository;
  readonly #options: GitSourceOptions;
  readonly #sleep: Sleep;
  readonly #onTrouble: (trouble: SourceTrouble | null) => void;
  readonly #ids = new RevisionIds();
  /** What is unchanged since the last revision is neither read nor resolved again. */
  readonly #memory = new ReadingMemory();
  #trouble: SourceTrouble | null = null;
  #last: SeenRevision | null = null;
  /** Seen last by an earlier gateway, until the first look: then it is ours, or something else is. */
  #recalled: (SeenRevision & { readonly commit: string }) | null = null;
  /** Why what was seen last is to be told of once more when it is seen again; null: it is not. */
  #again: (() => Promise<string | null>) | null = null;
  /** What is followed was one when it was seen. */
  #isBranch = false;
  /** When the last look ended: what it found takes its time, too, and two of those are to be no closer. */
  #ended = 0;
  #poked: string | null = null;
  #wake: (() => void) | null = null;

  /** `onTrouble`: told after each look that failed, and with null after the first that did not. Must not throw. */
  constructor(repository: Repository, options: GitSourceOptions, onTrouble: (trouble: SourceTrouble | null) => void) {
    this.#repository = repository;
    this.#options = options;
    this.#sleep = options.sleep ?? systemSleep;
    this.#onTrouble = onTrouble;
  }

  recall(revisions: readonly Pick<Revision, "id" | "commit" | "standing">[]): void {
    for (const { id, commit } of revisions) if (commit !== null) this.#ids.keep(id, { name: null, commit });
    const last = revisions.findLast((each): each is typeof each & { commit: string } => each.commit !== null);
    // What was refused is read again: whoever starts a gateway may have mended what it was refused for.
    if (last !== undefined && last.standing !== "refused") this.#recalled = { ...last, what: "it was seen before" };
  }

  /** Look now. Never waits; what has happened until the look begins is seen by it. */
  poke(why: string): void {
    this.#poked = why;
    this.#wake?.();
  }

  async *revisions(signal: AbortSignal): AsyncGenerator<SeenRevision> {
    let tidying: Promise<void> | null = null;
    let count = 0;
    try {
      for (let why = "it is followed from now on"; ; why = await this.#nextReason(signal)) {
        this.#poked = null;
        const seen = await this.#look(why, signal);
        this.#ended = this.#options.clock.monotonicMs();
        if (seen === null) continue;
        yield seen;
        if (++count % TIDY_EVERY !== 0) continue;
        tidying ??= this.#repository.tidy(seen.commit, signal).finally(() => {
          tidying = null;
        });
      }
    } finally {
      await tidying;
    }
  }

  async read(id: RevisionId, since: string | null, signal: AbortSignal): Promise<ReadRevision> {
    const { path, ref, requireSigned } = this.#options;
    const known = this.#ids.find(id);
    if (known === null) throw new Error(`nobody has seen ${id}`);
    const signers = requireSigned === null ? null : await fileDigest(requireSigned);
    let isHere = false;
    const refuse = async () => {
      await this.#repository.bring(known, signal);
      isHere = true;
      await this.#refuse(known.commit, since, signal);
    };
    try {
      await refuse().catch(async (error) => {
        const isMended =
          isHere &&
          isOdoroboError(error, "SOURCE_UNREADABLE") &&
          (await this.#repository.removeIfDamaged(known.commit, signal));
        if (!isMended) throw error;
        await refuse();
      });
    } catch (error) {
      const isFinal = isOdoroboError(error, "SOURCE_REWOUND");
      if (this.#last?.id === id && !isFinal) this.#again = this.#whenSolved(isHere ? signers : null);
      throw error;
    }
    return {
      fleet: await loadFleetAt(this.#repository, known.commit, path, signal, ref ?? "HEAD", this.#memory),
      isDoubtful: false,
    };
  }

  /** `commit` is here. */
  async #refuse(commit: string, since: string | null, signal: AbortSignal): Promise<void> {
    const { allowRewind, requireSigned } = this.#options;
    if (requireSigned !== null) await refuseUnsigned(this.#repository, commit, since, requireSigned, signal);
    if (since !== null && since !== commit && !allowRewind) await refuseRewind(this.#repository, commit, since, signal);
  }

  /**
   * Nobody pushes because a server was away or a signer's key was missing: the same commit is told of again. `signers`: those that it
   * was refused by; null: it was not.
   */
  #whenSolved(signers: string | null): () => Promise<string | null> {
    const { requireSigned } = this.#options;
    if (requireSigned === null || signers === null) return async () => "it could not be read before";
    return async () => ((await fileDigest(requireSigned)) === signers ? null : "who may sign has changed");
  }

  async #look(why: string, signal: AbortSignal): Promise<(SeenRevision & { readonly commit: string }) | null> {
    const { ref } = this.#options;
    try {
      const found = await this.#repository.find(ref ?? "HEAD", signal);
      this.#refuseTagInPlace(found);
      const recalled = this.#recalled;
      this.#recalled = null;
      if (recalled?.commit === found.commit) {
        this.#last = recalled;
        this.#isWell();
        return recalled;
      }
      const because = found.commit === this.#last?.commit ? await this.#again?.() : why;
      let subject = "";
      if (because) {
        await this.#repository.bring(found, signal);
        subject = printable(await this.#repository.subject(found.commit, signal), SUBJECT_AT_MOST);
      }
      this.#isWell();
      if (!because) return null;
      const seen = { id: this.#ids.give(found), what: `${because}: ${subject}`, commit: found.commit };
      this.#last = seen;
      this.#again = null;
      return seen;
    } catch (error) {
      signal.throwIfAborted();
      if (!isOdoroboError(error)) throw error;
      this.#isUnwell(error);
      return null;
    }
  }

  /** Who deletes a branch does not mean that a tag of its name is to be followed. */
  #refuseTagInPlace({ name }: FoundRef): void {
    if (name?.startsWith("refs/heads/")) this.#isBranch = true;
    if (!this.#isBranch || !name?.startsWith("refs/tags/")) return;
    const { ref } = this.#options;
    throw new OdoroboError("SOURCE_REF_NOT_FOUND", `the branch ${ref} is gone, and what is called so now is a tag`, {
      hint: `push the branch again; to follow the tag: --ref refs/tags/${ref}`,
    });
  }

  #isWell(): void {
    if (this.#trouble === null) return;
    this.#trouble = null;
    this.#onTrouble(null);
  }

  #isUnwell({ code, message, hint }: OdoroboError): void {
    const before = this.#trouble;
    const since = before?.since ?? this.#options.clock.now();
    this.#trouble = { code, message, hint: hint ?? null, since, looks: (before?.looks ?? 0) + 1 };
    this.#onTrouble(this.#trouble);
  }

  /** Resolves when it is time to look. */
  async #nextReason(signal: AbortSignal): Promise<string> {
    const { intervalMs, jitter } = this.#options;
    const failed = this.#trouble?.looks ?? 0;
    const backOff = failed === 0 ? 1 : Math.min(BACK_OFF_AT_MOST, 2 ** (failed - 1));
    const reason =
      (await this.#untilPoked(intervalMs * backOff * (1 - JITTER * jitter()), signal)) ?? "it was looked again";
    const rest = this.#ended + LOOK_APART_MS - this.#options.clock.monotonicMs();
    if (rest > 0) await this.#sleep(rest, signal);
    return this.#poked ?? reason;
  }

  /** Null when nobody has poked for so long. */
  async #untilPoked(milliseconds: number, signal: AbortSignal): Promise<string | null> {
    if (this.#poked !== null) return this.#poked;
    const poked = new AbortController();
    this.#wake = () => poked.abort();
    try {
      await this.#sleep(milliseconds, AbortSignal.any([signal, poked.signal]));
    } catch (error) {
      signal.throwIfAborted();
      if (!poked.signal.aborted) throw error;
    } finally {
      this.#wake = null;
    }
    return this.#poked;
  }
}

async function fileDigest(path: string): Promise<string> {
  return await readFile(path).then(
    (bytes) => hash("sha256", bytes, "hex"),
    () => "none",
  );
}
