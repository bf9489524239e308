/**
 * Between a fleet's repository and its loop: what the gateway's own file says counts more than what is pushed.
 *
 * - The policy is held below the ceiling.
 * - A repository that names another fleet than it did, or one that another entry turns, is refused: its plans would delete the VMs of
 *   the one, or fight over those of the other.
 */
import { DEFAULT_GATEWAY_POLICY } from "../../model/desired-state.ts";
import { OdoroboError } from "../../model/errors.ts";
import type { Fleet } from "../../turn/read-fleet.ts";
import type { ReadRevision, RevisionSource, SeenRevision } from "../loop/parts.ts";
import type { RevisionId } from "../revision/revision.ts";
import type { FleetConfig } from "./gateway-config.ts";
import { holdBelow } from "./policy-ceiling.ts";

/** Which fleet each entry turns, over restarts. */
export interface FleetNames {
  /** The entry turns it from now on. Rejects with FLEET_MISMATCH when it turned another, or another entry turns this one. */
  claim(entry: string, fleet: string): Promise<void>;
}

export class GuardedSource implements RevisionSource {
  readonly #source: RevisionSource;
  readonly #config: Pick<FleetConfig, "name" | "ceiling">;
  readonly #names: FleetNames;
  readonly #onHeld: (id: RevisionId, note: string) => void;
  readonly #notes = new Map<RevisionId, string>();

  /** `onHeld`: something of a revision's policy does not count. Must not throw. */
  constructor(
    source: RevisionSource,
    config: Pick<FleetConfig, "name" | "ceiling">,
    names: FleetNames,
    onHeld: (id: RevisionId, note: string) => void,
  ) {
    this.#onHeld = onHeld;
    this.#source = source;
    this.#config = config;
    this.#names = names;
  }

  recall(revisions: Parameters<NonNullable<RevisionSource["recall"]>>[0]): void {
    this.#source.recall?.(revisions);
  }

  revisions(signal: AbortSignal): AsyncIterable<SeenRevision> {
    return this.#source.revisions(signal);
  }

  async read(id: RevisionId, since: string | null, signal: AbortSignal): Promise<ReadRevision> {
    const read = await this.#source.read(id, since, signal);
    await this.#names.claim(this.#config.name, read.fleet.desired.fleet.name);
    const { fleet, note } = this.#held(read.fleet);
    if (note !== null) {
      this.#note(id, note);
      this.#onHeld(id, note);
    }
    return { ...read, fleet };
  }

  /** What of its policy does not count; null: all of it does. */
  noteOf(id: RevisionId): string | null {
    return this.#notes.get(id) ?? null;
  }

  #held(fleet: Fleet): { readonly fleet: Fleet; readonly note: string | null } {
    const { desired } = fleet;
    const said = desired.fleet.policy.gateway ?? DEFAULT_GATEWAY_POLICY;
    const { policy, note } = holdBelow(said, this.#config.ceiling);
    if (note === null) return { fleet, note };
    const settings = { ...desired.fleet, policy: { ...desired.fleet.policy, gateway: policy } };
    return { fleet: { ...fleet, desired: { ...desired, fleet: settings } }, note };
  }

  #note(id: RevisionId, note: string): void {
    this.#notes.set(id, note);
    const [oldest] = this.#notes.keys();
    if (this.#notes.size > NOTES_AT_MOST && oldest !== undefined) this.#notes.delete(oldest);
  }
}

/** More revisions than a loop remembers. */
const NOTES_AT_MOST = 200;

export const mismatch = (message: string, hint: string): OdoroboError =>
  new OdoroboError("FLEET_MISMATCH", message, { hint });
