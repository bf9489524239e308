/** What watchers of a gateway's fleets were told, numbered and kept for those who come back: the latest of it. */
import type { ApplyEvent } from "../../apply/apply-report.ts";
import { type Instant, instant } from "../../model/names.ts";
import type { Clock } from "../../platform/clock.ts";
import type { GatewayEvent, GatewayHappening } from "../../report/gateway/gateway-event.ts";
import type { FleetNews } from "../../report/gateway/page-documents.ts";
import type { LoopWatcher } from "../loop/parts.ts";
import type { Told } from "../revision/loop-state.ts";
import type { Because } from "../revision/revision.ts";

/** An apply of a thousand VMs has some thousand steps, and is told to its end to who was away for a moment. */
const KEPT = 5_000;

export class GatewayEvents {
  readonly #clock: Clock;
  /** Ids of another life of this gateway are of no use here. */
  readonly #life: string;
  readonly #kept: GatewayEvent[] = [];
  readonly #listeners = new Set<(event: GatewayEvent) => void>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#life = Date.parse(clock.now()).toString(36);
  }

  /** One for each fleet. */
  watcher(fleet: string): LoopWatcher {
    const put = (happening: GatewayHappening, at: Instant = this.#clock.now()) => this.#put(fleet, happening, at);
    return {
      told: (told, at) => put(happeningOf(told), instant(at)),
      asked: (revision, { plan }, run) => {
        const changes = plan.changes.map((each) => ({ name: each.name, action: each.action, class: each.class }));
        put({ event: "asked", revision, plan: plan.id, run, changes });
      },
      changed: () => {},
      applying: (event, run) => {
        const happening = stepOf(event, run);
        if (happening !== null) put(happening, "at" in event ? event.at : undefined);
      },
      source: (trouble) =>
        put({ event: "source", ...(trouble === null ? NO_TROUBLE : { ...troubleOf(trouble), since: trouble.since }) }),
    };
  }

  /** Tags and ids of this life begin with it. */
  get life(): string {
    return this.#life;
  }

  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  /** Told to who listens now, and not kept. */
  tellNews(fleet: string, news: FleetNews, at: Instant): void {
    const event = this.newsEvent(fleet, news, at);
    for (const listener of this.#listeners) listener(event);
  }

  /** With the id of the event before: who comes back after it has missed nothing that is kept. */
  newsEvent(fleet: string, news: FleetNews, at: Instant): GatewayEvent {
    return { kind: "GatewayEvent", version: 1, id: this.lastId, at, fleet, ...news };
  }

  /** Told of all that happens from now on. Returns what ends that. */
  subscribe(listener: (event: GatewayEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What came after the event with this id; null: that is not known any more, or was never given here. */
  since(id: string): readonly GatewayEvent[] | null {
    const [life, text = ""] = id.split("-");
    const number = Number(text);
    const first = this.#count - this.#kept.length;
    if (life !== this.#life || !/^\d{1,15}$/.test(text) || number < first || number > this.#count) return null;
    return this.#kept.slice(number - first);
  }

  /** Of the last event. */
  get lastId(): string {
    return `${this.#life}-${this.#count}`;
  }

  #put(fleet: string, happening: GatewayHappening, at: Instant): void {
    this.#count++;
    const event: GatewayEvent = { kind: "GatewayEvent", version: 1, id: this.lastId, at, fleet, ...happening };
    this.#kept.push(event);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const listener of this.#listeners) listener(event);
  }
}

const NO_TROUBLE = { code: null, message: null, hint: null, since: null } as const;

function happeningOf(told: Told): GatewayHappening {
  switch (told.kind) {
    case "revision": {
      const { id, what, commit, standing, because } = told.revision;
      return { event: "revision", revision: id, what, commit, standing, ...troubleOf(because) };
    }
    case "drift": {
      const show = (changes: typeof told.left) =>
        changes.map((change) => ({ name: change.name, action: change.action, class: change.class }));
      return { event: "drift", reverted: show(told.reverted), left: show(told.left) };
    }
    case "trouble":
      return { event: "trouble", revision: told.revision, ...troubleOf(told.because) };
    case "void":
      return { event: "void", plan: told.plan, by: told.by };
    case "held":
      return { event: "held", run: told.run, by: told.by };
    case "unkept":
      return { event: "unkept", ...troubleOf(told.because) };
  }
}

function stepOf(event: ApplyEvent, run: string): GatewayHappening | null {
  if (event.event === "started") return { event: "run", run, steps: event.steps };
  if (event.event === "step-started") return { event: "step-begun", run, step: event.id, title: event.title };
  if (event.event === "ended") return { event: "run-ended", run };
  if (event.event !== "step-ended") return null;
  const { id, title, outcome, error, skippedBecause } = event.report;
  const message = error?.message ?? skippedBecause ?? null;
  return { event: "step", run, step: id, title, outcome, code: error?.code ?? null, message };
}

const troubleOf = (
  because: (Pick<Because, "code" | "message"> & { readonly hint?: string | null | undefined }) | null,
) => ({
  code: because?.code ?? null,
  message: because?.message ?? null,
  hint: because?.hint ?? null,
});
