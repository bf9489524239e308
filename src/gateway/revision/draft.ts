/** A state while it is decided about: what was changed in it, and the acts that come of that. Lives for one `decide`. */
import type { Instant, VmName } from "../../model/names.ts";
import type { Act, LoopState } from "./loop-state.ts";
import { type Because, isFinal, type Revision, type RevisionId, type Standing } from "./revision.ts";

/** Of those that are over, for whoever looks back. */
const KEPT_AT_MOST = 20;

const REPLACED = { outcome: "replaced", by: null } as const;

export class Draft {
  state: LoopState;
  readonly acts: Act[] = [];
  readonly now: Instant;

  constructor(state: LoopState, now: Instant) {
    this.state = state;
    this.now = now;
  }

  set(changes: Partial<LoopState>): void {
    this.state = { ...this.state, ...changes };
  }

  find(id: RevisionId | null): Revision | undefined {
    return this.state.revisions.find((each) => each.id === id);
  }

  change(id: RevisionId, changes: Partial<Revision>): void {
    const revisions = this.state.revisions.map((each) => (each.id === id ? { ...each, ...changes } : each));
    this.set({ revisions });
  }

  /** Told when that is news. What is over stays as it ended, but that what failed goes on until it is done. */
  stand(id: RevisionId, standing: Standing, because: Because | null = null): void {
    const before = this.find(id);
    if (before === undefined || (isFinal(before.standing) && !isPutRight(before.standing, standing))) return;
    if (before.standing === standing && before.because?.message === because?.message) return;
    const revision: Revision = { ...before, standing, because, at: this.now };
    this.change(id, revision);
    this.acts.push({ act: "tell", told: { kind: "revision", revision } });
  }

  /** A revision that came after this one was read well. */
  hasHeir(id: RevisionId): boolean {
    return this.#after(id).some(({ standing }) => standing === "read");
  }

  /** A revision came after this one, and may be good. */
  isOutrun(id: RevisionId): boolean {
    return this.#after(id).some(({ standing }) => standing === "seen" || standing === "read");
  }

  #after(id: RevisionId): readonly Revision[] {
    const { revisions } = this.state;
    return revisions.slice(revisions.findIndex((each) => each.id === id) + 1);
  }

  /** What was asked of that revision is asked no longer. An approval of it is void. */
  withdraw(
    id: RevisionId,
    reason: string,
    { outcome, by }: Pick<Extract<Act, { readonly act: "withdraw" }>, "outcome" | "by"> = REPLACED,
  ): readonly VmName[] {
    const { asked } = this.state;
    if (asked?.revision !== id) return [];
    const { run, plan, approvedBy } = asked;
    this.set({ asked: null });
    if (approvedBy !== null)
      this.acts.push({ act: "tell", told: { kind: "void", revision: id, plan: plan.id, by: approvedBy } });
    this.acts.push({ act: "withdraw", run, outcome, by, reason });
    return plan.changes.map(({ name }) => name);
  }

  tidied(): LoopState {
    const { revisions, inForce } = this.state;
    const over = revisions.filter((each) => isFinal(each.standing) && each.id !== inForce);
    const gone = new Set(over.slice(0, Math.max(0, over.length - KEPT_AT_MOST)).map(({ id }) => id));
    return gone.size === 0 ? this.state : { ...this.state, revisions: revisions.filter(({ id }) => !gone.has(id)) };
  }
}

const isPutRight = (before: Standing, now: Standing): boolean =>
  before === "failed" && (now === "waiting" || now === "applied");

export const without = (names: readonly VmName[], others: Iterable<VmName>): VmName[] => {
  const gone = new Set(others);
  return names.filter((name) => !gone.has(name));
};

export const together = (...lists: readonly (readonly VmName[])[]): VmName[] => [...new Set(lists.flat())];
