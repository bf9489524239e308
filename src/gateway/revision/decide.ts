/**
 * What the loop of one fleet does next: from what it remembers, what happened, and the time, alone.
 *
 *   sources, agents, people ──► events ─► [decide.ts] ─► acts ──► ../loop/loop.ts, which carries them out and says how they ended
 *
 * Pure: no I/O, no clock. Whoever turns a fleet by itself (`odorobo watch`, a gateway) does it with this, so it is here that
 * - one apply of a fleet runs at a time, and one that has begun is let finish;
 * - nothing is done beyond what policy lets be done by itself without an approval of that very plan;
 * - what is broken or refused takes nothing from the revision before it, which stays in force;
 * - what failed is tried again, less and less often.
 */
import { DEFAULT_GATEWAY_POLICY, type GatewayPolicy } from "../../model/desired-state.ts";
import type { Instant } from "../../model/names.ts";
import { Draft, together, without } from "./draft.ts";
import { type Act, type LoopEvent, type LoopState, showHolder, type Told } from "./loop-state.ts";
import { isFinal, type Revision } from "./revision.ts";
import { backOff, fail, shortenPause, soon, takePlan, whatIsMissing } from "./take-plan.ts";

export interface Decision {
  readonly state: LoopState;
  readonly acts: readonly Act[];
}

/** `said`: what the person who started the loop says of policy, above what the manifests say. */
export function decide(
  state: LoopState,
  events: readonly LoopEvent[],
  said: Partial<GatewayPolicy>,
  now: Instant,
): Decision {
  const draft = new Draft(state, now);
  for (const event of events) {
    shortenPause(draft);
    take(draft, event, said);
    choose(draft);
  }
  return { state: draft.tidied(), acts: draft.acts };
}

function take(draft: Draft, event: LoopEvent, said: Partial<GatewayPolicy>) {
  switch (event.event) {
    case "seen":
      return takeSeen(draft, event);
    case "read":
      return takeRead(draft, event);
    case "unreadable":
      if (draft.state.reading !== event.revision) return;
      draft.set({ reading: null });
      return draft.stand(event.revision, "refused", event.because);
    case "planned":
    case "unplannable":
      return takePlanning(draft, event, said);
    case "held":
      return takeHeld(draft, event);
    case "ended":
      return takeEnd(draft, event);
    case "unasked": {
      const { asked } = draft.state;
      if (asked?.revision !== event.revision || asked.plan.id !== event.plan) return;
      return draft.set({ asked: null, look: draft.state.look ?? "it is to be asked anew" });
    }
    case "taken-up":
      return takeUp(draft);
    case "look":
      // It may be an agent that is back.
      noLongerAway(draft);
      return draft.set({ look: draft.state.look ?? event.why });
    case "released":
      return draft.set({ heldBy: null, look: draft.state.look ?? "somebody else's run is over" });
    case "approve":
    case "decline":
      return takeAnswer(draft, event, said);
    case "tick": {
      const { opens, asked } = draft.state;
      if (asked?.notBefore !== undefined && asked.notBefore <= draft.now) noLongerAway(draft);
      if (opens !== null && opens <= draft.now) draft.set({ opens: null, look: draft.state.look ?? "a window opens" });
    }
  }
}

/** What was a run goes on as that run, what was asked waits on; the rest is looked at anew. */
function takeUp(draft: Draft) {
  const { turn, asked, inForce, revisions } = draft.state;
  for (const revision of revisions) {
    const isOld = isFinal(revision.standing) && revision.id !== inForce && revision !== revisions.at(-1);
    if (!isOld) draft.acts.push(tell({ kind: "revision", revision, again: true }));
  }
  if (turn?.kind === "applying") {
    const { revision, plan, approvedBy, run } = turn;
    draft.acts.push({ act: "apply", revision, plan, approvedBy, run });
  }
  if (asked !== null && asked.approvedBy === null) {
    const { revision, plan, run } = asked;
    draft.acts.push({ act: "ask", revision, plan, run });
  }
  draft.set({ look: draft.state.look ?? "the loop begins again" });
}

function takeHeld(draft: Draft, { revision, by }: EventOf<"held">) {
  const { turn } = draft.state;
  if (turn?.kind !== "planning" || turn.revision !== revision) return;
  // Who has it asks by itself.
  if (draft.state.asked !== null) draft.withdraw(draft.state.asked.revision, `${showHolder(by)} has the fleet`);
  draft.set({ turn: null, heldBy: showHolder(by), look: draft.state.look ?? "somebody else had the fleet" });
  draft.acts.push(tell({ kind: "held", ...by }));
  // As if it had not been tried.
  if (draft.state.inForce !== revision) draft.stand(revision, "read");
}

type EventOf<Name extends LoopEvent["event"]> = Extract<LoopEvent, { readonly event: Name }>;
const tell = (told: Told): Act => ({ act: "tell", told });

function takeSeen(draft: Draft, { revision: id, what, commit }: EventOf<"seen">) {
  if (draft.find(id) !== undefined) return;
  const unread = {
    because: null,
    digest: null,
    policy: DEFAULT_GATEWAY_POLICY,
    isDoubtful: false,
    own: [],
    declined: [],
  };
  const revision: Revision = { id, what, commit, standing: "seen", at: draft.now, ...unread };
  draft.set({ revisions: [...draft.state.revisions, revision] });
  draft.acts.push(tell({ kind: "revision", revision }));
}

function takeRead(draft: Draft, { revision: id, digest, policy, isDoubtful }: EventOf<"read">) {
  if (draft.state.reading !== id) return;
  draft.set({ reading: null });
  const { inForce, turn } = draft.state;
  const before = draft.find(inForce);
  const isSame = before?.digest === digest;
  for (const older of draft.state.revisions) {
    const isBegun = turn?.kind === "applying" && turn.revision === older.id;
    if (older.id === id || isFinal(older.standing) || older.standing === "seen" || isBegun) continue;
    if (isSame && older.id === inForce) continue;
    // Its changes are nobody's wish any more, should it stay in force because this one is refused.
    const dropped = draft.withdraw(older.id, `by ${id}`);
    draft.change(older.id, { declined: together(older.declined, dropped) });
    draft.stand(older.id, "replaced", { code: null, message: `by ${id}` });
  }
  if (isSame) {
    draft.stand(id, "unchanged", { code: null, message: `it says what ${inForce} says` });
    // Saving again is how a person says: try again.
    if (draft.state.failures > 0) draft.set({ failures: 0, notBefore: null, look: "it was saved again" });
    return;
  }
  draft.change(id, { digest, policy, isDoubtful });
  draft.stand(id, "read");
}

function takePlanning(draft: Draft, event: EventOf<"planned"> | EventOf<"unplannable">, said: Partial<GatewayPolicy>) {
  const { turn } = draft.state;
  if (turn?.kind !== "planning" || turn.revision !== event.revision) return;
  draft.set({ turn: null });
  const revision = draft.find(event.revision);
  if (revision === undefined) return;
  if (event.event === "planned")
    return takePlan(draft, turn, { ...event.plan, run: event.run }, { ...revision.policy, ...said });
  if (draft.isOutrun(revision.id)) {
    // The newer one may say the same, or be broken: then this one is planned again.
    if (draft.state.inForce === revision.id) draft.set({ look: draft.state.look ?? "it was not carried out" });
    return;
  }
  fail(draft, revision, event.because);
}

function takeEnd(draft: Draft, event: EventOf<"ended">) {
  const { turn } = draft.state;
  if (turn?.kind !== "applying" || turn.plan.id !== event.plan || turn.revision !== event.revision) return;
  draft.set({ turn: null });
  const revision = draft.find(turn.revision);
  if (revision === undefined) return;
  const { id } = revision;
  const names = turn.plan.changes.map(({ name }) => name);
  const own = without(revision.own, without(names, event.undone));
  switch (event.outcome) {
    case "held": {
      const by = event.heldBy ?? { run: event.run, by: null, since: null };
      draft.set({ heldBy: showHolder(by) });
      draft.acts.push(tell({ kind: "held", ...by }));
      const { kind: _, ...asked } = turn;
      if (turn.approvedBy !== null) draft.set({ asked });
      return notBegun(draft, revision);
    }
    case "away": {
      if (turn.approvedBy === null || draft.hasHeir(id)) return notBegun(draft, revision);
      const { kind: _, ...asked } = turn;
      draft.set({ asked: { ...asked, notBefore: soon(draft.now) } });
      const message = `approved by ${turn.approvedBy}, for ${event.because?.message ?? "an agent that is silent"}`;
      return draft.stand(id, "waiting", { ...event.because, code: event.because?.code ?? null, message });
    }
    case "stale":
      return notBegun(draft, revision);
    case "stopped":
      // Whoever stopped it does not want it begun again at once.
      draft.change(id, { own: without(own, names), declined: together(revision.declined, names) });
      if (isFinal(revision.standing)) return;
      return draft.stand(id, "failed", event.because);
    case "failed": {
      draft.change(id, { own });
      const because = event.because ?? { code: null, message: "not all of it could be done" };
      if (isFinal(revision.standing)) draft.acts.push(tell({ kind: "trouble", revision: id, because }));
      else draft.stand(id, "failed", because);
      return backOff(draft);
    }
    case "done": {
      draft.change(id, { own });
      draft.set({ failures: 0, notBefore: null });
      if (isFinal(revision.standing)) return draft.set({ look: draft.state.look ?? "it was put right" });
      const isComplete = turn.isWhole && turn.plan.awaited.length === 0 && whatIsMissing(turn.plan) === null;
      if (isComplete) return draft.stand(id, "applied");
      if (draft.hasHeir(id)) return draft.stand(id, "replaced", BEFORE_THE_END);
      draft.set({ look: "what is left of it" });
    }
  }
}

function noLongerAway(draft: Draft) {
  const { asked } = draft.state;
  if (asked?.notBefore === undefined) return;
  const { notBefore: _, ...rest } = asked;
  draft.set({ asked: rest });
}

const BEFORE_THE_END = { code: null, message: "a newer one came when not all of it was done" };

/** As if it had never been tried: it is planned again when its time has come. */
function notBegun(draft: Draft, revision: Revision) {
  if (draft.hasHeir(revision.id)) return draft.stand(revision.id, "replaced", BEFORE_THE_END);
  draft.set({ look: draft.state.look ?? "it could not be begun" });
  if (!isFinal(revision.standing)) draft.stand(revision.id, "read");
}

function takeAnswer(
  draft: Draft,
  { event, revision: id, plan, by, reason }: EventOf<"approve" | "decline">,
  said: Partial<GatewayPolicy>,
) {
  const { asked } = draft.state;
  const revision = draft.find(id);
  if (asked === null || revision === undefined || whyVoid(draft.state, { revision: id, plan }, said) !== null) {
    draft.acts.push(tell({ kind: "void", revision: id, plan, by }));
  } else if (event === "approve") draft.set({ asked: { ...asked, approvedBy: by } });
  else {
    // That somebody else had approved it counts no more.
    draft.set({ asked: { ...asked, approvedBy: null } });
    const names = draft.withdraw(id, "it was turned down", { outcome: "refused", by });
    draft.change(id, { own: without(revision.own, names), declined: together(revision.declined, names) });
    // What runs is let finish, and only then it is seen what is left of the revision.
    const { turn } = draft.state;
    if (turn?.kind === "applying" && turn.revision === id) return;
    draft.stand(id, "refused", {
      code: "NOT_CONFIRMED",
      message: `${by} turned it down${reason === undefined ? "" : `: ${reason}`}`,
    });
  }
}

/** Why an answer about that plan of that revision counts for nothing; null: it counts. */
export function whyVoid(
  { asked, revisions }: LoopState,
  about: { readonly revision: string; readonly plan: string },
  said: Partial<GatewayPolicy>,
): string | null {
  const revision = revisions.find(({ id }) => id === about.revision);
  if (revision === undefined || asked === null) return "it is not asked for any more";
  if (asked.revision !== about.revision) return `${asked.revision} took the place of ${about.revision}`;
  if (asked.plan.id !== about.plan) return `the run ${asked.run} took its place: something else is to be done by now`;
  return { ...revision.policy, ...said }.suspend ? "all is suspended: policy.gateway.suspend" : null;
}

/** What can begin now. */
function choose(draft: Draft) {
  const unread = draft.state.revisions.filter(({ standing }) => standing === "seen");
  const newest = unread.at(-1);
  if (draft.state.reading === null && newest !== undefined) {
    for (const { id } of unread.slice(0, -1)) draft.stand(id, "replaced", { code: null, message: `by ${newest.id}` });
    draft.set({ reading: newest.id });
    draft.acts.push({ act: "read", revision: newest.id });
  }
  const { reading, turn, heldBy, asked, inForce, look, notBefore } = draft.state;
  // What was seen may say something else than what would be begun.
  if (reading !== null || turn !== null || heldBy !== null) return;
  const next = draft.state.revisions.findLast(({ standing }) => standing === "read");
  const isDue = asked !== null && asked.approvedBy !== null && asked.notBefore === undefined;
  if (isDue && (next === undefined || next.id === asked.revision)) {
    const { revision, plan, isWhole, approvedBy, run } = asked;
    draft.stand(revision, "applying");
    draft.set({ asked: null, turn: { kind: "applying", revision, plan, isWhole, approvedBy, run } });
    draft.acts.push({ act: "apply", revision, plan, approvedBy, run });
    return;
  }
  if (next !== undefined) {
    if (next.id !== inForce) draft.set({ failures: 0, notBefore: null });
    return plan(draft, next.id);
  }
  if (inForce === null || look === null || (notBefore !== null && draft.now < notBefore)) return;
  plan(draft, inForce);
}

function plan(draft: Draft, revision: string) {
  draft.set({ look: null, turn: { kind: "planning", revision, left: [], aside: [], later: [], isTogether: false } });
  draft.acts.push({ act: "plan", revision, leaveOut: [] });
}
