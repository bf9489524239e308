/** What a loop does, as the events and the view that people and programs are shown. */
import type { ApplyEvent } from "../../../apply/apply-report.ts";
import type { LoopWatcher } from "../../../gateway/loop/parts.ts";
import type { LoopState, Told } from "../../../gateway/revision/loop-state.ts";
import { type Instant, instant } from "../../../model/names.ts";
import { systemClock } from "../../../platform/clock.ts";
import { type ApplyProgress, advance, NO_PROGRESS } from "../../../report/apply-progress.ts";
import { renderPlan } from "../../../report/plan/plan-text.ts";
import type { Happening, WatchedChange } from "../../../report/watch/watch-event.ts";
import type { WatchView } from "../../../report/watch/watch-text.ts";
import type { PlannedFleet } from "../../../turn/plan-fleet.ts";
import type { WatchScreen } from "./screens.ts";

export interface Question {
  readonly revision: string;
  readonly plan: string;
}

export interface WatcherOptions {
  readonly colour: boolean;
  /** Somebody can answer here. Else they are told how to. */
  readonly isInteractive: boolean;
  readonly folder: string;
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
    const because = told.kind === "revision" ? told.revision.because : told.kind === "trouble" ? told.because : null;
    if (because?.code === null || because === null) return;
    const rest = because.message.split("\n").slice(1).join("\n").trim();
    const hint = because.hint ? `hint: ${because.hint}` : "";
    const more = [rest, hint].filter((each) => each !== "").join("\n");
    if (more !== "") this.#screen.note(more);
  }

  asked(revision: string, { plan }: PlannedFleet): void {
    const { colour, isInteractive, folder } = this.#options;
    this.tell({ event: "asked", revision, plan: plan.id, changes: plan.changes.map(toWatched) });
    this.#screen.note(renderPlan(plan, { colour, verbose: false, next: null }));
    if (isInteractive) this.#question = { revision, plan: plan.id };
    else
      this.#screen.note(
        `Nobody is here to answer. To have it done: odorobo apply ${folder}, or odorobo watch ${folder} --auto CLASS`,
      );
  }

  changed(state: LoopState): void {
    this.#state = state;
    const { asked, turn } = state;
    if (asked === null || asked.approvedBy !== null || asked.plan.id !== this.#question?.plan) this.#question = null;
    if (turn?.kind !== "applying") this.#progress = null;
    this.#show();
  }

  seen({ observed, fleet }: Pick<PlannedFleet, "observed" | "fleet">): void {
    this.#seen = observed;
    this.#fleet = fleet.desired.fleet.name;
    this.#show();
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
    this.#show();
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

  #show(): void {
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
      question: this.#question === null ? null : QUESTION,
    });
  }
}

const QUESTION = 'Apply this plan? Type "yes" or "no":';

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
