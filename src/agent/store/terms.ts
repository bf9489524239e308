/**
 * The highest term in which each fleet was ordered about: a gateway that led before, and does not know yet that it does so no more, is
 * refused whatever it orders. In `<data>/terms`, written before the first order of a new term is taken, so that the agent's own restart
 * does not forget it. People and gateways without a cluster order in no term, and are not asked for one.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";
import { isBefore, type OrderTerm, showTerm } from "../../wire/order-term.ts";

export class Terms {
  readonly #folder: string;
  readonly #highest = new Map<string, OrderTerm | null>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(dataFolder: string) {
    this.#folder = join(dataFolder, "terms");
  }

  /** Rejects with STALE_TERM for one that is over, and with STORAGE_FAILED when a new one cannot be kept. */
  admit(term: OrderTerm): Promise<void> {
    const known = this.#highest.get(term.fleet);
    // Nearly all are of the term that goes on.
    if (known && known.epoch === term.epoch && known.number === term.number) return Promise.resolve();
    const mine = this.#turn.then(() => this.#decide(term));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #decide(term: OrderTerm): Promise<void> {
    const { fleet } = term;
    const known = this.#highest.has(fleet) ? (this.#highest.get(fleet) ?? null) : await this.#read(fleet);
    this.#highest.set(fleet, known);
    if (known !== null && isBefore(term, known))
      throw new OdoroboError(
        "STALE_TERM",
        `the fleet ${fleet} is led in ${showTerm(known)}, and not in ${showTerm(term)}`,
        {
          hint: "another gateway leads by now; after etcd was restored from a backup: raise cluster.epoch in the gateways' files",
        },
      );
    if (known === null || isBefore(known, term)) await this.#write(term);
    this.#highest.set(fleet, term);
  }

  async #read(fleet: string): Promise<OrderTerm | null> {
    try {
      const { epoch, number } = JSON.parse(await readFile(this.#path(fleet), "utf8")) as Record<string, unknown>;
      return typeof epoch === "number" && typeof number === "number" ? { fleet, epoch, number } : null;
    } catch (error) {
      if (isErrno(error, "ENOENT") || error instanceof SyntaxError) return null;
      throw failed(this.#path(fleet), error);
    }
  }

  async #write({ fleet, epoch, number }: OrderTerm): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
      await writeFileAtomically(this.#path(fleet), JSON.stringify({ epoch, number }));
    } catch (error) {
      throw failed(this.#path(fleet), error);
    }
  }

  #path(fleet: string): string {
    return join(this.#folder, `${fleet}.json`);
  }
}

const failed = (path: string, cause: unknown): OdoroboError =>
  new OdoroboError("STORAGE_FAILED", `who leads the fleet could not be written down: ${path}`, {
    cause,
    hint: "nothing was begun; make room, or mend the folder",
  });
