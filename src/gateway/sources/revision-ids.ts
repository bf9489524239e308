/** Names of revisions of git: twelve digits of the commit; when it comes again after another (`git reset`), `~2` is added, and so on. */
import type { FoundRef } from "../../source/repository.ts";
import type { RevisionId } from "../revision/revision.ts";

export type KnownCommit = Pick<FoundRef, "name" | "commit">;

/** A loop speaks of some twenty at a time. */
const KEPT_AT_MOST = 1_000;

export class RevisionIds {
  readonly #known = new Map<RevisionId, KnownCommit>();

  /** Another one than any that is kept. */
  give(found: KnownCommit): RevisionId {
    const digits = found.commit.slice(0, 12);
    let id = digits;
    for (let time = 2; this.#known.has(id); time += 1) id = `${digits}~${time}`;
    this.keep(id, found);
    return id;
  }

  keep(id: RevisionId, { name, commit }: KnownCommit): void {
    this.#known.set(id, { name, commit });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KEPT_AT_MOST) return;
      this.#known.delete(oldest);
    }
  }

  find(id: RevisionId): KnownCommit | null {
    return this.#known.get(id) ?? null;
  }
}
