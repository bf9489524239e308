/**
 * Which loop turns each fleet by itself: granted to one at a time, for as long as it goes on asking. Who has it is in `<data>/leases`,
 * so that the agent's own restart makes no room for another; a file that cannot be read or written costs no more than that.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Instant, instant } from "../../model/names.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Lease, LeaseRequest } from "../../wire/lease.ts";

interface Granted {
  readonly holder: string;
  readonly by: string;
  readonly since: Instant;
  readonly seconds: number;
  /** By the clock that never jumps. */
  readonly until: number;
}

export class Leases {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #granted = new Map<string, Granted | null>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(dataFolder: string, clock: Clock) {
    this.#folder = join(dataFolder, "leases");
    this.#clock = clock;
  }

  /** To whoever asks, when nobody else has it. Resolves with who has it then. */
  ask(fleet: string, request: LeaseRequest): Promise<Lease> {
    // One after the other: of two who come at once, one is first.
    const mine = this.#turn.then(() => this.#decide(fleet, request));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #decide(fleet: string, { holder, by, seconds }: LeaseRequest): Promise<Lease> {
    const known = this.#granted.has(fleet) ? (this.#granted.get(fleet) ?? null) : await this.#read(fleet);
    const now = this.#clock.monotonicMs();
    const held = known !== null && known.until > now ? known : null;
    const isOthers = held !== null && held.holder !== holder;
    const next = isOthers
      ? held
      : seconds === 0
        ? null
        : { holder, by, seconds, since: held?.since ?? this.#clock.now(), until: now + seconds * 1_000 };
    this.#granted.set(fleet, next);
    if (next?.holder !== known?.holder || next?.by !== known?.by) await this.#write(fleet, next);
    return { fleet, holder: next?.holder ?? null, by: next?.by ?? null, since: next?.since ?? null };
  }

  async #read(fleet: string): Promise<Granted | null> {
    try {
      const text = await readFile(this.#path(fleet), "utf8");
      const { holder, by, since, seconds } = JSON.parse(text) as Record<string, unknown>;
      if (typeof holder !== "string" || typeof by !== "string" || typeof seconds !== "number") return null;
      return { holder, by, since: instant(String(since)), seconds, until: this.#clock.monotonicMs() + seconds * 1_000 };
    } catch {
      return null;
    }
  }

  async #write(fleet: string, next: Granted | null): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
      const { until: _, ...kept } = next ?? { until: 0 };
      await writeFileAtomically(this.#path(fleet), JSON.stringify(kept));
    } catch {
      // It holds until the agent ends.
    }
  }

  #path(fleet: string): string {
    return join(this.#folder, `${fleet}.json`);
  }
}
