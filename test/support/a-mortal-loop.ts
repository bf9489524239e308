/**
 * A loop in this process that dies at the n-th boundary of what it writes down: before and after each state that is remembered, each run
 * that is made and each line of a journal. From then on nothing of it reaches memory, journals or agents, and the next one may begin.
 */
import { join } from "node:path";
import { LiveWorld } from "../../src/gateway/loop/live-world.ts";
import { Loop } from "../../src/gateway/loop/loop.ts";
import { LoopMemoryFile } from "../../src/gateway/loop/memory-file.ts";
import type { LoopMemory, LoopWatcher, RevisionSource } from "../../src/gateway/loop/parts.ts";
import { type Clock, systemClock } from "../../src/platform/clock.ts";
import type { RunClaim, RunStore } from "../../src/run/run-store.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import { type Fleet, loadFleet } from "../../src/turn/read-fleet.ts";

/** A branch as git keeps one: what a revision said can be read again by every loop. */
export class Branch implements RevisionSource {
  readonly #folder: string;
  readonly #pushed = new Map<string, Fleet>();
  readonly #listeners = new Set<() => void>();

  /** `folder`: the work tree. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async push(id: string): Promise<void> {
    this.#pushed.set(id, await loadFleet({ kind: "folder", path: this.#folder }, new AbortController().signal));
    for (const listener of this.#listeners) listener();
  }

  async *revisions(signal: AbortSignal) {
    let last: string | null = null;
    for (;;) {
      signal.throwIfAborted();
      const newest = [...this.#pushed.keys()].at(-1) ?? null;
      if (newest !== null && newest !== last) {
        last = newest;
        yield { id: newest, what: "a push", commit: newest };
        continue;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#listeners.add(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
      await promise;
      this.#listeners.delete(resolve);
    }
  }

  async read(id: string) {
    const fleet = this.#pushed.get(id);
    if (fleet === undefined) throw new Error(`nobody pushed ${id}`);
    return { fleet, isDoubtful: false };
  }
}

export interface MortalLoop extends AsyncDisposable {
  /** Names of boundaries, in the order in which they were met. */
  readonly passed: readonly string[];
  readonly isDead: () => boolean;
  /** Resolves when nothing of it is under way any more. */
  readonly ended: Promise<void>;
}

export interface MortalPlace {
  readonly branch: Branch;
  readonly folder: string;
  /** Of what it writes down. */
  readonly state: string;
  /** 0: never. */
  readonly dieAt: number;
  /** At each boundary; what it throws is thrown there, as by a disk that is full. */
  readonly at?: ((name: string) => void) | undefined;
  readonly clock?: Clock | undefined;
}

export function aMortalLoop({ branch, folder, state, dieAt, at, clock = systemClock }: MortalPlace): MortalLoop {
  const passed: string[] = [];
  const stop = new AbortController();
  let isDead = false;
  const died = () => new Error("it is dead");
  const boundary = (name: string) => {
    if (!isDead) {
      passed.push(name);
      at?.(name);
      if (passed.length !== dieAt) return;
      isDead = true;
      stop.abort();
    }
    throw died();
  };
  const around = <Result>(name: string, act: () => Result): Result => {
    boundary(`before ${name}`);
    const result = act();
    boundary(`after ${name}`);
    return result;
  };
  const mortal = (claim: RunClaim): RunClaim => ({
    ...claim,
    append: (event) => around(event.event, () => claim.append(event)),
  });
  const files = new FileRunStore(state);
  const runs = new Proxy<RunStore>(files, {
    get(store, name: keyof RunStore) {
      if (name === "create")
        return async (...args: Parameters<RunStore["create"]>) => {
          boundary("before begun");
          const claim = await store.create(...args);
          try {
            boundary("after begun");
          } catch (error) {
            await claim[Symbol.asyncDispose]();
            throw error;
          }
          return mortal(claim);
        };
      if (name === "claim")
        return async (id: string) => {
          if (isDead) throw died();
          const claim = await store.claim(id);
          return claim && mortal(claim);
        };
      return store[name].bind(store);
    },
  });
  const path = join(state, "loop.json");
  const onTrouble = (message: string) => {
    throw new Error(message);
  };
  const file = new LoopMemoryFile({ path, of: folder, runs, clock, by: "a loop of a test", onTrouble });
  const memory: LoopMemory = {
    holder: () => file.holder(),
    own: (signal, onHeld) => file.own(signal, onHeld),
    load: () => file.load(),
    keep: (kept) => around("remembered", () => file.keep(kept)),
  };
  const watcher: LoopWatcher = { told: () => {}, asked: () => {}, changed: () => {} };
  const world = new LiveWorld({
    ...{ location: { kind: "folder", path: folder }, access: { answerMs: 10_000 }, runs, clock, who: "test" },
    // What is not told is not seen within the test.
    ...{ intervalMs: 3_600_000, signal: stop.signal, hardSignal: stop.signal },
  });
  const ended = new Loop({ source: branch, world, clock, memory }, watcher, {}).run(stop.signal);
  return {
    passed,
    isDead: () => isDead,
    ended,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}
