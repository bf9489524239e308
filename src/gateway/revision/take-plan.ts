/** A plan was made: is it applied, asked about, made smaller, or is there nothing to do? */
import { isWorse } from "../../model/change-class.ts";
import type { GatewayPolicy } from "../../model/desired-state.ts";
import { type Instant, instant, type VmName } from "../../model/names.ts";
import { type Opening, openingAt } from "../../model/windows/window.ts";
import { type Draft, together } from "./draft.ts";
import { judge } from "./judge.ts";
import type { Turn } from "./loop-state.ts";
import { type ChangeFacts, type PlanFacts, showChange } from "./plan-facts.ts";
import { isFinal, type Revision } from "./revision.ts";

type Planning = Extract<Turn, { readonly kind: "planning" }>;

/** A plan, and the id that its run would have. */
interface Made extends PlanFacts {
  readonly run: string;
}

export function takePlan(draft: Draft, planning: Planning, made: Made, policy: GatewayPolicy) {
  const revision = draft.find(planning.revision);
  if (revision === undefined) return;
  const plan = markMadeAnew(made, revision);
  const isInForce = draft.state.inForce === revision.id;
  // A newer one came while this was planned: that one is planned, or this one again should the newer be broken.
  if (draft.isOutrun(revision.id) || (isFinal(revision.standing) && !isInForce)) {
    if (isInForce) draft.set({ look: draft.state.look ?? "it was not carried out" });
    return;
  }
  const [refusal] = plan.refusals;
  if (refusal !== undefined) return fail(draft, revision, refusal);

  const verdict = judge(plan, revision, policy);
  const isMere = (change: ChangeFacts) => change.isDrift && !revision.own.includes(change.name);
  const forbidden = isInForce ? [] : verdict.forbidden.filter((change) => !isMere(change));
  if (forbidden.length > 0) return fail(draft, revision, saysNo(forbidden, policy));
  const left = [...verdict.left, ...verdict.forbidden];
  const closed = closedAt(policy, draft.now);
  const later = closed === null ? [] : verdict.auto.filter(disturbs);
  const auto = verdict.auto.filter((change) => !later.includes(change));
  const { ask } = verdict;

  const wanted = plan.changes.filter((change) => !change.isDrift && !left.includes(change)).map(({ name }) => name);
  draft.change(revision.id, { own: together(revision.own, wanted), unseen: stillUnseen(plan, revision) });
  const isLater = later.length + planning.later.length > 0;
  draft.set({ inForce: revision.id, opens: earlier(plan.opens, isLater ? (closed?.opens ?? draft.now) : null) });
  draft.stand(revision.id, revision.standing === "read" ? "planned" : revision.standing, revision.because);
  if (isWhole(planning))
    tellDrift(draft, auto.filter(isMere), [...left, ...later, ...ask.filter(isMadeAnew)].filter(isMere), policy);
  if (policy.suspend && auto.length + later.length + ask.length > 0) return wait(draft, revision, SUSPENDED);

  // What may be done by itself does not wait for what may not.
  const isSplit = auto.length > 0 && ask.length > 0 && !planning.isTogether;
  if (left.length > 0 || later.length > 0 || isSplit) {
    const more = { left: namesOf(left), aside: isSplit ? namesOf(ask) : [] };
    return planAgain(draft, {
      ...planning,
      left: together(planning.left, more.left),
      later: together(planning.later, namesOf(later)),
      aside: together(planning.aside, more.aside),
    });
  }
  if (ask.length > 0) return askFor(draft, revision, planning, plan);
  if (auto.length > 0) return apply(draft, revision, planning, plan);
  // It hangs on what was put aside.
  if (planning.aside.length > 0) return planAgain(draft, { ...planning, aside: [], isTogether: true });
  nothingToDo(draft, revision, planning, plan);
}

/** What a window is there for: guests that run, as `plan/windows.ts` has it. */
const disturbs = ({ action, class: each }: ChangeFacts): boolean =>
  action !== "create" && action !== "boot" && isWorse(each, "metadata");

/** The next window, while none is open; null: nothing is left to windows now. */
function closedAt({ windows = [] }: GatewayPolicy, now: Instant): Opening | null {
  const opening = openingAt(windows, now);
  return opening?.isOpen === false ? opening : null;
}

const earlier = (a: Instant | null, b: Instant | null): Instant | null =>
  [a, b].filter((each) => each !== null).sort()[0] ?? null;

const isMadeAnew = (change: ChangeFacts): boolean => change.isMadeAnew === true;

/** What a revision makes later than by its first plan was there before, but for what was never begun, not done, or not to be seen. */
function markMadeAnew(plan: Made, { standing, own, unseen = [] }: Revision): Made {
  if (standing === "read") return plan;
  const known = new Set<string>([...own, ...unseen]);
  const mark = (change: ChangeFacts): ChangeFacts =>
    change.action === "create" && !known.has(change.name) ? { ...change, isDrift: true, isMadeAnew: true } : change;
  return { ...plan, changes: plan.changes.map(mark) };
}

/** Only ever fewer: what is silent later was seen. */
function stillUnseen({ blocked, unknown, awaited }: PlanFacts, { standing, unseen = [] }: Revision): readonly string[] {
  const now = [...namesOf(blocked), ...unknown, ...awaited];
  return standing === "read" ? now : unseen.filter((name) => now.includes(name));
}

const namesOf = (changes: readonly Pick<ChangeFacts, "name">[]): VmName[] => changes.map(({ name }) => name);
const isWhole = ({ left, aside, later }: Planning): boolean => left.length + aside.length + later.length === 0;

const SUSPENDED = "all is suspended: policy.gateway.suspend";

function saysNo(forbidden: readonly ChangeFacts[], { auto, approve }: GatewayPolicy) {
  const list = forbidden.map(showChange).join(", ");
  const classes = (approve ?? []).join(", ") || "nothing";
  return {
    code: "PLAN_REFUSED" as const,
    message: `policy.gateway lets ${list} be done neither by itself (up to ${auto}) nor with an approval (${classes})`,
    hint: "add the class to policy.gateway.approve, or let a person do it: odorobo apply",
  };
}

/** One that was never in force leaves the one before in force. */
export function fail(draft: Draft, revision: Revision, because: NonNullable<Revision["because"]>) {
  draft.withdraw(revision.id, because.message);
  if (draft.state.inForce !== revision.id) {
    draft.stand(revision.id, "refused", because);
    draft.set({ look: draft.state.look ?? "the revision before stays in force" });
    return;
  }
  if (isFinal(revision.standing))
    draft.acts.push({ act: "tell", told: { kind: "trouble", revision: revision.id, because } });
  else draft.stand(revision.id, "failed", because);
  backOff(draft);
}

const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 600_000;

/** What failed is tried again, less and less often: something else may be the reason by now. */
export function backOff(draft: Draft) {
  const { failures } = draft.state;
  const notBefore = instantAfter(draft.now, pauseAfter(failures));
  draft.set({ failures: failures + 1, notBefore, look: draft.state.look ?? "it failed before" });
}

/** When an agent that was silent is asked again, should nothing be heard of it. */
export const soon = (now: Instant): Instant => instantAfter(now, FIRST_PAUSE_MS);

const pauseAfter = (failures: number): number =>
  Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10));
const instantAfter = (now: Instant, milliseconds: number): Instant =>
  instant(new Date(Date.parse(now) + milliseconds).toISOString());

/** A clock that was put back makes no pause longer than it was to be. */
export function shortenPause(draft: Draft) {
  const { notBefore, failures } = draft.state;
  if (notBefore === null) return;
  const longest = instantAfter(draft.now, pauseAfter(failures - 1));
  if (notBefore > longest) draft.set({ notBefore: longest });
}

function wait(draft: Draft, revision: Revision, message: string) {
  draft.withdraw(revision.id, message);
  draft.stand(revision.id, "waiting", { code: null, message });
}

function planAgain(draft: Draft, turn: Planning) {
  draft.set({ turn });
  draft.acts.push({ act: "plan", revision: turn.revision, leaveOut: together(turn.left, turn.aside, turn.later) });
}

function askFor(draft: Draft, revision: Revision, planning: Planning, { run, ...plan }: Made) {
  const { asked } = draft.state;
  const isSame = asked?.revision === revision.id && asked.plan.substance === plan.substance;
  // Approved, and not to be begun yet: it says for whom it waits.
  if (isSame && asked.approvedBy !== null) return;
  const message = `for approval: ${plan.changes.map(showChange).join(", ")}`;
  draft.stand(revision.id, "waiting", { code: null, message });
  if (isSame) return;
  if (asked !== null) draft.withdraw(asked.revision, `by the run ${run}: something else is to be done by now`);
  draft.set({ asked: { revision: revision.id, plan, isWhole: isWhole(planning), approvedBy: null, run } });
  draft.acts.push({ act: "ask", revision: revision.id, plan, run });
}

function apply(draft: Draft, { id }: Revision, planning: Planning, { run, ...plan }: Made) {
  draft.stand(id, "applying");
  draft.set({ turn: { kind: "applying", revision: id, plan, isWhole: isWhole(planning), approvedBy: null, run } });
  draft.acts.push({ act: "apply", revision: id, plan, approvedBy: null, run });
}

function nothingToDo(draft: Draft, revision: Revision, { later }: Planning, plan: PlanFacts) {
  const awaited = together(plan.awaited, later);
  const trouble = whatIsMissing(plan);
  // What is asked about may be there still: whether it is can be told when all is seen again. The rest is kept meanwhile, at once.
  if (plan.unknown.length > 0 && plan.blocked.length === 0 && draft.state.asked?.revision === revision.id) return;
  draft.withdraw(revision.id, "there is nothing left to be done");
  if (trouble === null) draft.set({ failures: 0, notBefore: null });
  if (isFinal(revision.standing)) {
    const isDone = trouble === null && awaited.length === 0 && revision.declined.length === 0;
    if (isDone && draft.state.inForce === revision.id) draft.stand(revision.id, "applied");
    return;
  }
  if (trouble !== null) {
    draft.stand(revision.id, "failed", trouble);
    return backOff(draft);
  }
  if (awaited.length > 0) {
    const { opens } = draft.state;
    const when = opens === null ? "and none is written" : `the next opens at ${opens}`;
    return wait(draft, revision, `for a window, ${when}: ${awaited.join(", ")}`);
  }
  draft.stand(revision.id, "applied");
}

/** Null: all that the revision wants is done, or waits for its window. */
export function whatIsMissing({ blocked, unknown }: PlanFacts): Revision["because"] {
  const [first] = blocked;
  if (first !== undefined) {
    const more = blocked.length === 1 ? "" : ` (and ${blocked.length - 1} more)`;
    return { code: "PLAN_REFUSED", message: `${first.name} is blocked: ${first.message}${more}`, hint: first.hint };
  }
  if (unknown.length === 0) return null;
  return { code: "AGENT_UNREACHABLE", message: `could not be seen, and was left alone: ${unknown.join(", ")}` };
}

function tellDrift(
  draft: Draft,
  reverted: readonly ChangeFacts[],
  left: readonly ChangeFacts[],
  { healDrift }: GatewayPolicy,
) {
  if (healDrift === "off") return;
  const drift = [...reverted, ...left].map(({ name, action }) => `${action} ${name}`).sort();
  if (drift.join() === draft.state.drift.join()) return;
  draft.set({ drift });
  if (drift.length > 0) draft.acts.push({ act: "tell", told: { kind: "drift", reverted, left } });
}
