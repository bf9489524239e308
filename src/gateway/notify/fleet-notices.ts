/** What of one fleet's loop is worth a message. A watcher of the loop: says what is so each time that it is told, and the bulletin what of it is news. */
import type { NodeName, VmName } from "../../model/names.ts";
import type { Clock } from "../../platform/clock.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import { Healing } from "../loop/healing.ts";
import type { LoopWatcher, SourceTrouble } from "../loop/parts.ts";
import type { LoopState, Told } from "../revision/loop-state.ts";
import { showChange } from "../revision/plan-facts.ts";
import { isFinal, type Revision, type RevisionId } from "../revision/revision.ts";
import type { Bulletin } from "./bulletin.ts";
import type { Notice, Topic } from "./notice.ts";

/** A restart of an agent is nothing to wake anybody for. */
const SILENT_MS = 30_000;
const NOTHING = { code: null, hint: null, revision: null, commit: null, run: null, vms: [], node: null } as const;

export class FleetNotices implements LoopWatcher {
  readonly #bulletin: Bulletin;
  readonly #clock: Clock;
  readonly #silentMs: number;
  readonly #healing = new Healing();
  /** Since when they do not answer, on the clock that never jumps. */
  #silent = new Map<NodeName, number>();
  /** VMs that are as they should be again while others are not yet. */
  #healed: VmName[] = [];
  /** The revision in force while something of it fails. */
  #failing: RevisionId | null = null;
  #drift: Extract<Told, { readonly kind: "drift" }> | null = null;
  /** Why commits were refused by a gateway before this one, which told of it. */
  readonly #refused = new Map<string, string>();
  /** The run that holds the plan which waits. */
  #asked: { readonly revision: RevisionId; readonly run: string | null } | null = null;

  constructor(bulletin: Bulletin, clock: Clock, silentMs = SILENT_MS) {
    this.#bulletin = bulletin;
    this.#clock = clock;
    this.#silentMs = silentMs;
  }

  told(told: Told): void {
    this.#healing.told(told);
    if (told.kind === "revision") {
      const { commit, because } = told.revision;
      // After a restart: it was said before, and what was refused is looked at once more.
      if (!told.again) this.#tellRevision(told.revision);
      else if (told.revision.standing === "refused" && commit !== null)
        this.#refused.set(commit, because?.message ?? "");
    } else if (told.kind === "drift") this.#drift = told;
    else if (told.kind === "trouble") {
      const { code, message, hint = null } = told.because;
      this.#bulletin.say("trouble", `${code} ${message}`, () =>
        this.#notice("failed", `guests could not be kept as ${told.revision} says: ${message}`, {
          ...{ code, hint, revision: told.revision },
        }),
      );
    }
  }

  asked(revision: RevisionId, _planned: PlannedFleet, run: string | null): void {
    this.#asked = { revision, run };
  }

  changed(state: LoopState): void {
    this.#tellWaiting(state);
    this.#tellDrift(state);
    this.#tellPutRight(state);
  }

  /** One that failed stays that, and is tried again; that nothing fails any more is how its end is seen. */
  #tellPutRight({ failures, inForce, revisions }: LoopState): void {
    if (failures > 0) this.#failing = inForce;
    else if (this.#failing !== null) {
      const id = this.#failing;
      this.#failing = null;
      const healed = (message: string) => () => this.#notice("healed", message, { revision: inForce });
      // Another one has taken its place, or is about to: what was left of it is nobody's wish any more.
      const newest = revisions.at(-1);
      const isItself = id === inForce && (newest === undefined || isFinal(newest.standing));
      this.#bulletin.end(`revision ${id}`, isItself ? healed(`what was left of revision ${id} is done`) : null);
      this.#bulletin.end("trouble", healed(`guests are kept as ${inForce} says again`));
    }
  }

  seen({ observed }: PlannedFleet): void {
    const now = this.#clock.monotonicMs();
    const before = this.#silent;
    this.#silent = new Map();
    for (const node of observed.nodes) {
      const { name } = node;
      if (node.reach === "answered") {
        this.#bulletin.end(`node ${name}`, () => this.#notice("healed", `${name} answers again`, { node: name }));
        continue;
      }
      const since = before.get(name) ?? now;
      this.#silent.set(name, since);
      if (now - since < this.#silentMs) continue;
      const hint = `its VMs are left alone; when it is off for good: odorobo node fence ${name}`;
      this.#bulletin.say(`node ${name}`, "silent", () =>
        this.#notice("silent", `${name} does not answer: ${node.error}`, { code: node.code ?? null, hint, node: name }),
      );
    }
    // One that left the manifests is nobody's trouble any more.
    const names = new Set(observed.nodes.map(({ name }) => name));
    for (const name of before.keys()) if (!names.has(name)) this.#bulletin.end(`node ${name}`, null);
  }

  source(trouble: SourceTrouble | null): void {
    if (trouble === null) {
      this.#bulletin.end("source", () => this.#notice("healed", "the repository can be read again"));
      return;
    }
    const { code, message, hint } = trouble;
    this.#bulletin.say("source", code, () =>
      this.#notice("failed", `the repository cannot be read: ${message}`, { code, hint }),
    );
  }

  #tellRevision({ id, commit, standing, because }: Revision): void {
    const about = `revision ${id}`;
    const more = { revision: id, commit };
    if (standing === "failed" || standing === "refused") {
      // A person who turned it down knows.
      if (because === null || (standing === "refused" && because.code === null)) return;
      const { code, message, hint = null } = because;
      if (standing === "refused" && commit !== null && this.#refused.get(commit) === message) return;
      this.#bulletin.say(about, `${standing} ${code} ${message}`, () =>
        this.#notice("failed", `revision ${id} is ${standing}: ${message}`, { ...more, code, hint }),
      );
    } else if (standing === "applied")
      this.#bulletin.end(about, () => this.#notice("healed", `revision ${id} is applied`, more));
  }

  #tellWaiting({ asked, revisions }: LoopState): void {
    if (asked === null || asked.approvedBy !== null) {
      this.#bulletin.end("approval", null);
      return;
    }
    const { revision: id, plan } = asked;
    const run = this.#asked?.revision === id ? this.#asked.run : null;
    const commit = revisions.find((each) => each.id === id)?.commit ?? null;
    const list = plan.changes.map(showChange).join(", ");
    const hint = run === null ? "odorobo runs list" : `odorobo runs approve ${run}, or odorobo runs refuse ${run}`;
    const vms = plan.changes.map(({ name }) => name);
    this.#bulletin.say("approval", `${id} ${plan.substance}`, () =>
      this.#notice("waiting", `revision ${id} waits for approval: ${list}`, { hint, revision: id, commit, run, vms }),
    );
  }

  #tellDrift(state: LoopState): void {
    this.#healed.push(...this.#healing.healed(state));
    if (state.drift.length === 0) {
      const healed = this.#healed;
      this.#healed = [];
      this.#drift = null;
      this.#bulletin.end("drift", () => this.#notice("healed", saysHealed(healed), { vms: healed }));
      return;
    }
    const drift = this.#drift;
    if (drift === null) return;
    const reverted = drift.reverted.map(({ name }) => name);
    const left = drift.left.map(({ name }) => name);
    this.#bulletin.say("drift", state.drift.join(), () =>
      this.#notice("drift", saysDrift(reverted, left), {
        ...{ vms: [...reverted, ...left], hint: "odorobo plan shows what differs" },
      }),
    );
  }

  #notice(topic: Topic, message: string, more: Partial<Notice> = {}): Notice {
    return { topic, at: this.#clock.now(), message, ...NOTHING, ...more };
  }
}

const saysHealed = (vms: readonly VmName[]): string =>
  vms.length === 0 ? "nothing is drifted any more" : `as git says again: ${vms.join(", ")}`;

function saysDrift(reverted: readonly VmName[], left: readonly VmName[]): string {
  const parts = [
    reverted.length === 0 ? null : `is reverted: ${reverted.join(", ")}`,
    left.length === 0 ? null : `is left as it is: ${left.join(", ")}`,
  ];
  return `somebody else changed guests; that ${parts.filter((part) => part !== null).join("; that ")}`;
}
