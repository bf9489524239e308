/**
 * While a run is carried out nothing is planned, so nobody asks the agents what has become of their guests: for those who look on they
 * are asked here, when they have something to tell, and never so often that it takes from the run.
 */
import type { ObservedState } from "../../../model/observed-state.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { FleetSight } from "./fleet-sight.ts";

export interface GlancerOptions {
  readonly sight: FleetSight;
  /** Of the agents that have something new, and the others' last answers. Undefined: there is nobody to ask. */
  readonly glance: () => Promise<ObservedState | undefined>;
  readonly clock: Clock;
  /** A run is under way, and somebody looks on. */
  readonly isWanted: () => boolean;
}

const APART_MS = 1_000;
/** So that looking on takes no more than a tenth of what one core does. */
const TIMES_ITS_OWN = 10;

export class Glancer implements Disposable {
  readonly #options: GlancerOptions;
  #timer: NodeJS.Timeout | null = null;
  #isBusy = false;
  #isAgain = false;
  #isOver = false;
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(options: GlancerOptions) {
    this.#options = options;
  }

  /** An agent told something. */
  nudge(): void {
    this.#isAgain = true;
    this.#begin();
  }

  #begin(): void {
    if (this.#isOver || this.#isBusy || this.#timer !== null || !this.#isAgain) return;
    const wait = Math.max(0, this.#notBefore - this.#options.clock.monotonicMs());
    this.#timer = setTimeout(() => void this.#glance(), wait).unref();
  }

  async #glance(): Promise<void> {
    const { sight, glance, clock, isWanted } = this.#options;
    this.#timer = null;
    this.#isAgain = false;
    if (!isWanted()) return;
    this.#isBusy = true;
    const begun = clock.monotonicMs();
    try {
      const observed = await glance();
      // The run has ended meanwhile, and a plan was made of what is there now.
      if (observed !== undefined && isWanted() && !this.#isOver) sight.glanced(observed);
    } catch {
      // Whoever plans next meets the same trouble, and tells it.
    } finally {
      const ended = clock.monotonicMs();
      this.#notBefore = ended + Math.max(APART_MS, (ended - begun) * TIMES_ITS_OWN);
      this.#isBusy = false;
      this.#begin();
    }
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
