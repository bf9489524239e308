/** What a loop does, as the events and the view that people and programs are shown. */
import type { ApplyEvent } from "../../../apply/apply-report.ts";
import type { LoopWatcher } from "../../../gateway/loop/parts.ts";
import type { LoopState, Told } from "../../../gateway/revision/loop-state.ts";
import { isWorse } from "../../../model/change-class.ts";
import { type Instant, instant } from "../../../model/names.ts";
import { systemClock } from "../../../platform/clock.ts";
import { type ApplyProgress, advance, NO_PROGRESS } from "../../../report/apply-progress.ts";
import { describeImpact } from "../../../report/plan/impact.ts";
import { renderPlan } from "../../../report/plan/plan-text.ts";
import type { Happening, WatchedChange } from "../../../report/watch/watch-event.ts";
import type { WatchQuestion, WatchView } from "../../../report/watch/watch-text.ts";
import type { PlannedFleet } from "../../../turn/plan-fleet.ts";
import type { Answers } from "./answers.ts";
import type { NextCommands } from "./next-commands.ts";
import type { WatchScreen } from "./screens.ts";

export interface Question extends Omit<WatchQuestion, "typed"> {
  readonly revision: string;
  readonly plan: string;
}

export interface WatcherOptions {
  readonly colour: boolean;
  /** Somebody can answer here. Else they are told how to. */
  readonly isInteractive: boolean;
  readonly folder: string;
  readonly next: NextCommands;
}

export class Watcher implements LoopWatcher {
  readonly #screen: WatchScreen;
  readonly #options: WatcherOptions;
  #state: LoopState | null = null;
  #seen: PlannedFleet["observed"] | null = null;
  #fleet = "";
  #progress: ApplyProgress | null = null;
  #run: string | null = null;
  #question: Question | null = null;
  #answers: Pick<Answers, "typed" | "forget"> | null = null;

  constructor(screen: WatchScreen, options: WatcherOptions) {
    this.#screen = screen;
    this.#options = options;
  }

  get question(): Question | null {
    return this.#question;
  }

  tell(happening: Happening, at: Instant = systemClock.now()): void {
    this.#screen.tell({ kind: "WatchEvent", version: 1, at, ...happening });
  }

  told(told: Told, at: string): void {
    this.tell(happeningOf(told), instant(at));
    const because = told.kind === "revision" ? told.revision.because : "because" in told ? told.because : null;
    if (told.kind === "held" && told.run !== null)
      this.#screen.note(`hint: to look on: ${this.#options.next.attach(told.run)}`);
    if (because?.code === null || because === null) return;
    const rest = because.message.split("\n").slice(1).join("\n").trim();
    const hint = because.hint ? `hint: ${because.hint}` : "";
    const more = [rest, hint].filter((each) => each !== "").join("\n");
    if (more !== "") this.#screen.note(more);
  }

  /** Where answers are typed from now on. */
  listenTo(answers: Pick<Answers, "typed" | "forget">): void {
    this.#answers = answers;
  }

  asked(revision: string, { plan }: PlannedFleet, run: string | null): void {
    const { colour, isInteractive, next } = this.#options;
    this.tell({ event: "asked", revision, plan: plan.id, run, changes: plan.changes.map(toWatched) });
    this.#screen.note(renderPlan(plan, { colour, verbose: false, next: null }));
    const elsewhere = run === null ? next.apply : next.approve(run);
    if (isInteractive) {
      const changes = plan.changes.map((change) => ({
        ...change,
        node: change.node ?? "?",
        impact: describeImpact(change),
      }));
      this.#question = { revision, plan: plan.id, changes, elsewhere };
      this.#answers?.forget();
      if (elsewhere !== null) this.#screen.note(`To answer from elsewhere: ${elsewhere}`);
      if (!this.#screen.isBlock) this.#screen.note('Apply this plan? Type "yes" or "no":');
      return;
    }
    const worst = plan.changes.map((change) => change.class).reduce((a, b) => (isWorse(b, a) ? b : a));
    const ways = [...(elsewhere === null ? [] : [elsewhere]), next.watch(worst)];
    this.#screen.note(`Nobody is here to answer. To have it done: ${ways.join(", or ")}`);
  }

  changed(state: LoopState): void {
    this.#state = state;
    const { asked, turn } = state;
    if (asked === null || asked.approvedBy !== null || asked.plan.id !== this.#question?.plan) this.#question = null;
    if (turn?.kind !== "applying") this.#progress = null;
    this.show();
  }

  seen({ observed, fleet }: Pick<PlannedFleet, "observed" | "fleet">): void {
    this.#seen = observed;
    this.#fleet = fleet.desired.fleet.name;
    this.show();
  }

  applying(event: ApplyEvent, run: string): void {
    this.#progress = advance(this.#progress ?? NO_PROGRESS, event);
    if (event.event === "started") {
      this.#run = run;
      this.tell({ event: "run", run, steps: event.steps });
    } else if (event.event === "step-ended") {
      const { title, outcome, error, skippedBecause } = event.report;
      const message = error?.message ?? skippedBecause;
      this.tell({ event: "step", run, title, outcome, code: error?.code ?? null, message });
    } else if (event.event === "ended") this.#run = null;
    this.show();
  }

  /** The kernel watches no more files for us. */
  limited(): void {
    const hint = "raise the limits fs.inotify.max_user_watches and fs.inotify.max_user_instances, and watch again";
    const message =
      "this user has as many watched files as the kernel gives one: every file is looked at every 2 s instead";
    this.tell({ event: "source", code: "SOURCE_UNREADABLE", message, hint });
    this.#screen.note(`hint: ${hint}`);
  }

  /** It stops, and this is all that is to be seen of it from now on. */
  stopping(isSecond: boolean): void {
    this.#question = null;
    this.show();
    const run = this.#run;
    if (run === null) return;
    const what = isSecond ? "not waiting any more for" : "stopping when it is done:";
    const more = isSecond ? "" : ". Ctrl-C once more stops waiting for it";
    this.#screen.note(`${what} what the run ${run} has begun${more}`);
  }

  stopped(): void {
    const { next } = this.#options;
    const run = this.#run;
    this.tell({ event: "stopped", running: this.running, unseen: this.unseen, run });
    if (run === null) return;
    const resume = next.resume(run);
    this.#screen.note(`hint: to carry on: ${next.watch()}${resume === null ? "" : `, or ${resume}`}`);
  }

  /** Null: none is left in the middle. */
  get openRun(): string | null {
    return this.#run;
  }

  /** Of the guests as they were seen last. */
  get running(): readonly string[] {
    return this.#vms().flatMap(({ name, phase }) => (phase === "running" ? [name] : []));
  }

  /** Nodes that did not answer when they were last asked. */
  get unseen(): readonly string[] {
    return (this.#seen?.nodes ?? []).flatMap((node) => (node.reach === "silent" ? [node.name] : []));
  }

  #vms(): WatchView["vms"] {
    return (this.#seen?.nodes ?? []).flatMap((node) =>
      node.reach === "silent"
        ? []
        : node.report.vms
            .filter(({ fleet }) => fleet === this.#fleet)
            .map(({ name, phase }) => ({ name, node: node.name, phase })),
    );
  }

  /** Somebody types, or something else than the loop's state is another. */
  show(): void {
    const state = this.#state;
    if (state === null) return;
    const inForce = state.revisions.find(({ id }) => id === state.inForce);
    const newest = state.revisions.findLast(({ standing }) => standing !== "unchanged");
    const isNewer = newest !== undefined && newest.id !== state.inForce;
    const { turn, reading, heldBy } = state;
    this.#screen.show({
      fleet: this.#fleet === "" ? this.#options.folder : this.#fleet,
      inForce: inForce === undefined ? null : `${inForce.id} ${inForce.standing}`,
      newer:
        isNewer && newest.because !== null && newest.standing === "refused"
          ? `${newest.id} is refused: ${newest.because.message.split("\n")[0]}`
          : null,
      vms: this.#vms(),
      silent: this.unseen,
      progress: turn?.kind === "applying" ? this.#progress : null,
      doing:
        heldBy !== null
          ? `waiting for ${heldBy}`
          : turn?.kind === "planning"
            ? "planning"
            : reading !== null
              ? "reading"
              : null,
      question: this.#question === null ? null : { ...this.#question, typed: this.#answers?.typed ?? "" },
    });
  }
}

const toWatched = ({ name, action, class: each }: WatchedChange): WatchedChange => ({ name, action, class: each });

function happeningOf(told: Told): Happening {
  switch (told.kind) {
    case "revision": {
      const { id, what, standing, because } = told.revision;
      return { event: "revision", revision: id, what, standing, ...troubleOf(because) };
    }
    case "drift":
      return { event: "drift", reverted: told.reverted.map(toWatched), left: told.left.map(toWatched) };
    case "trouble":
      return { event: "trouble", revision: told.revision, ...troubleOf(told.because) };
    case "void":
      return { event: "void", plan: told.plan, by: told.by };
    case "held":
      return { event: "held", run: told.run ?? told.by ?? "another" };
    case "unkept":
      return { event: "trouble", revision: "", ...troubleOf(told.because) };
  }
}

const troubleOf = (because: Extract<Told, { readonly kind: "revision" }>["revision"]["because"]) => ({
  code: because?.code ?? null,
  message: because?.message ?? null,
  hint: because?.hint ?? null,
});
