/**
 * Looks at files that may lie on storage which does not answer: a network file system whose server is gone holds a thread for as
 * long as it is away, and Node has four for all files. So what is only to be told, or is another VM's, is looked at by two threads
 * at most, and nobody waits long for it.
 */

/** Half of libuv's pool (UV_THREADPOOL_SIZE is 4 by default): the other half still writes records. */
const AT_A_TIME = 2;
/** Of storage that answers, even over a network and busy, a look takes some milliseconds; a report is waited for 5 s. */
const PATIENCE_MS = 1_000;

export class NoAnswer extends Error {}

interface UnderWay {
  readonly result: Promise<unknown>;
  readonly sinceMs: number;
}

export class PatientLooks {
  readonly #underWay = new Map<string, UnderWay>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  /**
   * A look that has not ended is shared by all who ask by the same key. Rejects as `look` does, and with NoAnswer when it has not
   * ended within `patienceMs` of being first asked for: it goes on, and who asks later may find that it has.
   */
  look<Value>(key: string, look: () => Promise<Value>, patienceMs = PATIENCE_MS): Promise<Value> {
    const known = this.#underWay.get(key) ?? this.#begin(key, look);
    const leftMs = Math.max(0, known.sinceMs + patienceMs - performance.now());
    return new Promise<Value>((resolve, reject) => {
      const timer = setTimeout(() => reject(new NoAnswer(`no answer within ${patienceMs / 1000} s`)), leftMs);
      (known.result as Promise<Value>).then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  #begin(key: string, look: () => Promise<unknown>): UnderWay {
    const result = this.#inTurn(look).finally(() => this.#underWay.delete(key));
    result.catch(() => {});
    const begun = { result, sinceMs: performance.now() };
    this.#underWay.set(key, begun);
    return begun;
  }

  async #inTurn<Value>(look: () => Promise<Value>): Promise<Value> {
    if (this.#busy < AT_A_TIME) this.#busy++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await look();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy--;
      else next();
    }
  }
}
