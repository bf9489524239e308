/** Revisions of a repository, looked at again and again. */
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { type FleetLocation, loadFleet, readFleet } from "../../turn/read-fleet.ts";
import type { ReadRevision, SeenRevision, SourceTrouble } from "../loop/parts.ts";
import type { PokedSource } from "./fleet-service.ts";
import type { FleetConfig } from "./gateway-config.ts";

export class PollSource implements PokedSource {
  readonly #location: FleetLocation;
  readonly #intervalMs: number;
  readonly #onTrouble: (trouble: SourceTrouble | null) => void;
  readonly #clock: Clock;
  #wake = new AbortController();

  constructor(
    { repository, intervalMs }: FleetConfig,
    onTrouble: (trouble: SourceTrouble | null) => void,
    clock: Clock,
  ) {
    this.#location = { kind: "git", url: repository.url, ref: repository.ref, path: repository.path };
    this.#intervalMs = intervalMs;
    this.#onTrouble = onTrouble;
    this.#clock = clock;
  }

  poke(): void {
    this.#wake.abort();
  }

  async *revisions(signal: AbortSignal): AsyncGenerator<SeenRevision> {
    let last: string | null = null;
    for (;;) {
      signal.throwIfAborted();
      try {
        const { commit } = await readFleet(this.#location, signal);
        this.#onTrouble(null);
        if (commit !== last && commit !== null) {
          last = commit;
          yield { id: commit.slice(0, 12), what: "the branch has moved", commit };
        }
      } catch (error) {
        signal.throwIfAborted();
        if (!isOdoroboError(error)) throw error;
        this.#onTrouble({
          code: error.code,
          message: error.message,
          hint: error.hint ?? null,
          since: this.#clock.now(),
        });
      }
      this.#wake = new AbortController();
      await sleep(this.#intervalMs, undefined, { signal: AbortSignal.any([signal, this.#wake.signal]) }).catch(
        () => {},
      );
    }
  }

  async read(_id: string, _since: string | null, signal: AbortSignal): Promise<ReadRevision> {
    return { fleet: await loadFleet(this.#location, signal), isDoubtful: false };
  }
}
