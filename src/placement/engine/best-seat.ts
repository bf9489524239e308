/**
 * The node that is best for one VM as the others sit: by preferred rules first, then where it has room at once, then the one
 * that is emptiest afterwards, judged by its scarcer resource; of equals the first by name.
 *
 *   seats.ts → [best-seat.ts] → assign.ts
 */
import type { Seats } from "./seats.ts";

export class SeatChooser {
  readonly #seats: Seats;
  readonly #objections: Uint8Array;
  readonly #preferences: Float64Array;
  /** What is left on each node while everybody who is to leave is still there. */
  readonly #freeAtOnce: Float64Array;

  constructor(seats: Seats) {
    const { nodes, resources, problem } = seats.terrain;
    this.#seats = seats;
    this.#objections = new Uint8Array(nodes);
    this.#preferences = new Float64Array(nodes);
    this.#freeAtOnce = Float64Array.from(seats.terrain.room);
    for (const { home, holds } of problem.vms)
      for (let r = 0; r < resources && home >= 0; r++) this.#freeAtOnce[home * resources + r]! -= holds[r] ?? 0;
  }

  /** For a VM that sits nowhere; -1: no node has room that nothing speaks against. */
  choose(vm: number): number {
    const seats = this.#seats;
    const { nodes, home } = seats.terrain;
    seats.objections(vm, this.#objections);
    const hasPreference = seats.preferences(vm, this.#preferences);
    let best = -1;
    let [bestPreference, bestWait, bestFullness] = [0, 0, 0];
    for (let node = 0; node < nodes; node++) {
      if (this.#objections[node] !== 0 || !seats.fits(vm, node)) continue;
      const preference = hasPreference ? this.#preferences[node]! : 0;
      if (best >= 0 && preference > bestPreference) continue;
      // Who moves to where somebody must leave first has to wait for it.
      const wait = home[vm]! < 0 || this.#fitsAtOnce(vm, node) ? 0 : 1;
      const fullness = seats.fullness(vm, node);
      const isBetter =
        best < 0 || preference < bestPreference || wait < bestWait || (wait === bestWait && fullness < bestFullness);
      if (isBetter) [best, bestPreference, bestWait, bestFullness] = [node, preference, wait, fullness];
    }
    return best;
  }

  #fitsAtOnce(vm: number, node: number): boolean {
    const { resources, wants } = this.#seats.terrain;
    for (let r = 0; r < resources; r++) {
      const want = wants[vm * resources + r]!;
      if (want > 0 && want > this.#freeAtOnce[node * resources + r]!) return false;
    }
    return true;
  }
}
