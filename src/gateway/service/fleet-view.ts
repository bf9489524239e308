/** What is to be seen of one fleet now: gathered from what its loop tells, read by the API and by `/readyz`. */
import type { ApplyEvent } from "../../apply/apply-report.ts";
import { type Instant, instant } from "../../model/names.ts";
import type { Plan } from "../../plan/plan-document.ts";
import { type ForgeLinks, forgeLinks } from "../../report/gateway/forge-links.ts";
import type {
  Because,
  GatewayFleet,
  GatewayFleetSummary,
  ShownQuestion,
  ShownRevision,
} from "../../report/gateway/gateway-documents.ts";
import { isRemote, parseRemote } from "../../source/git/remote-url.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import type { LoopWatcher, SourceTrouble } from "../loop/parts.ts";
import { type LoopState, NOTHING_SEEN } from "../revision/loop-state.ts";
import type { Revision, Because as RevisionBecause, RevisionId } from "../revision/revision.ts";
import { standsAs } from "../revision/stands-as.ts";
import type { FleetConfig } from "./gateway-config.ts";
import type { FleetSight } from "./sight/fleet-sight.ts";

type ViewedConfig = Pick<FleetConfig, "name" | "repository"> & Partial<Pick<FleetConfig, "forge">>;

export class FleetView implements LoopWatcher {
  readonly sight: FleetSight;
  /** Null: no forge that is known has it. */
  readonly links: ForgeLinks | null;
  readonly #config: ViewedConfig;
  readonly #noteOf: (id: RevisionId) => string | null;
  #state: LoopState = NOTHING_SEEN;
  #run: GatewayFleetSummary["run"] = null;
  #left: string | null = null;
  #question: { readonly plan: Plan; readonly run: string | null } | null = null;
  #planned: { readonly plan: Plan; readonly revision: string | null } | null = null;
  #trouble: SourceTrouble | null = null;
  #seen: { readonly fleet: string; readonly vms: GatewayFleet["vms"] } | null = null;
  #failure: Because | null = null;

  /** `noteOf`: what of a revision's policy does not count. */
  constructor(config: ViewedConfig, noteOf: (id: RevisionId) => string | null, sight: FleetSight) {
    this.#config = config;
    this.#noteOf = noteOf;
    this.sight = sight;
    this.links = linksOf(config);
  }

  told(): void {}

  asked(_revision: RevisionId, { plan }: PlannedFleet, run: string | null): void {
    this.#question = { plan, run };
  }

  changed(state: LoopState): void {
    this.#state = state;
    if (state.turn?.kind !== "applying") this.#run = null;
  }

  seen(planned: PlannedFleet): void {
    const { observed, fleet, plan } = planned;
    const { name } = fleet.desired.fleet;
    this.sight.planned(planned);
    const { turn } = this.#state;
    this.#planned = { plan, revision: turn?.kind === "planning" ? turn.revision : null };
    const vms = observed.nodes
      .flatMap((node) => (node.reach === "silent" ? [] : node.report.vms))
      .filter((vm) => vm.fleet === name);
    const running = vms.filter(({ phase }) => phase === "running").length;
    this.#seen = { fleet: name, vms: { total: vms.length, running } };
    this.#failure = null;
  }

  applying(event: ApplyEvent, run: string): void {
    if (event.event === "started") {
      this.#run = { id: run, steps: event.steps, ended: 0 };
      this.#left = run;
    }
    if (event.event === "step-ended" && this.#run !== null) this.#run = { ...this.#run, ended: this.#run.ended + 1 };
    if (event.event === "ended") {
      this.#run = null;
      if (event.report.outcome !== "interrupted") this.#left = null;
    }
  }

  source(trouble: SourceTrouble | null): void {
    this.#trouble = trouble;
  }

  /** What waits for an answer, else what was planned last; null: nothing was, or not by this process. */
  get plan(): Plan | null {
    const asked = this.#state.asked?.plan.id;
    if (asked !== undefined && this.#question?.plan.id === asked) return this.#question.plan;
    return this.#planned?.plan ?? null;
  }

  /** Of the manifests that were planned last. */
  get plannedRevision(): Pick<Revision, "id" | "commit"> | null {
    return this.revision((each) => each.id === this.#planned?.revision);
  }

  /** The latest of those that are remembered for which this holds; null: none. */
  revision(holds: (revision: Revision) => boolean): Revision | null {
    return this.#state.revisions.findLast(holds) ?? null;
  }

  get isApplying(): boolean {
    return this.#state.turn?.kind === "applying";
  }

  /** The loop itself could not go on. */
  failed(because: Because): void {
    this.#failure = because;
  }

  get isReady(): boolean {
    return this.#seen !== null;
  }

  /** The run that was begun and is not over; null: there is none. */
  get leftRun(): string | null {
    return this.#left;
  }

  summary(): GatewayFleetSummary {
    const { name, repository } = this.#config;
    const { inForce, heldBy, revisions } = this.#state;
    const force = revisions.find(({ id }) => id === inForce);
    const latest = revisions.at(-1);
    return {
      name,
      fleet: this.#seen?.fleet ?? null,
      repository: { url: withoutPassword(repository.url), ref: repository.ref, path: repository.path },
      isReady: this.isReady,
      notReadyBecause: this.isReady ? null : this.#whyNotReady(latest),
      inForce: force === undefined ? null : { revision: force.id, commit: force.commit },
      latest: latest === undefined ? null : this.#show(latest),
      waiting: this.#waiting(),
      sourceTrouble:
        this.#trouble === null ? null : { ...becauseOf(this.#trouble), since: instant(this.#trouble.since) },
      silentNodes: [...this.sight.silence].map(([node, { since }]) => ({ name: node, since })),
      drift: this.#state.drift,
      heldBy,
      run: this.#run,
    };
  }

  document(now: Instant): GatewayFleet {
    const revisions = [...this.#state.revisions].reverse().map((each) => this.#show(each));
    return {
      kind: "GatewayFleet",
      version: 1,
      now,
      ...this.summary(),
      revisions,
      vms: this.#seen?.vms ?? null,
      links: this.links,
    };
  }

  #whyNotReady(latest: Revision | undefined): Because | null {
    if (this.#failure !== null) return this.#failure;
    if (this.#trouble !== null) return becauseOf(this.#trouble);
    return latest?.because ? becauseOf(latest.because) : null;
  }

  #waiting(): ShownQuestion | null {
    const { asked } = this.#state;
    if (asked === null) return null;
    const { revision, plan, approvedBy } = asked;
    const run = this.#question?.plan.id === plan.id ? this.#question.run : null;
    const changes = plan.changes.map((change) => ({ name: change.name, action: change.action, class: change.class }));
    return { revision, plan: plan.id, run, changes, approvedBy };
  }

  #show(revision: Revision): ShownRevision {
    const { id, what, commit, standing, at } = revision;
    const because = this.#whyItStands(revision);
    return { id, what, commit, standing, because, at, heldBelow: this.#noteOf(id) };
  }

  #whyItStands(revision: Revision): Because | null {
    const { because } = revision;
    const same = standsAs(this.#state, revision);
    if (same === null || same.standing === "applied") return because === null ? null : becauseOf(because);
    const reason = same.because === null ? "" : `: ${same.because.message}`;
    const message = `it says what ${same.id} says, which is ${same.standing}${reason}`;
    return becauseOf({ ...(same.because ?? { code: null }), message });
  }
}

const becauseOf = ({ code, message, hint }: RevisionBecause | SourceTrouble): Because => ({
  code,
  message,
  hint: hint ?? null,
});

function linksOf({ repository, forge }: ViewedConfig): ForgeLinks | null {
  if (forge == null || forge.kind === "generic") return null;
  const { kind, api } = forge;
  return forgeLinks({ kind, api, url: withoutPassword(repository.url), path: repository.path });
}

const withoutPassword = (url: string): string => (isRemote(url) ? parseRemote(url).url : url);
