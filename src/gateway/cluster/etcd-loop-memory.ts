/** What a loop remembers, in etcd: whoever leads next goes on from there. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import type { Etcd } from "../../etcd/etcd.ts";
import { notLeader, type Term, writeInTerm } from "../../etcd/term.ts";
import { digestOfText } from "../../model/digest.ts";
import { OdoroboError } from "../../model/errors.ts";
import { findStateError } from "../loop/memory-shape.ts";
import type { LoopMemory } from "../loop/parts.ts";
import type { LoopState } from "../revision/loop-state.ts";

const VERSION = 1;
/** etcd takes requests of 1.5 MiB at most; ten thousand changes are a tenth of that, compressed. */
const AT_MOST_BYTES = 1_400_000;
const STOP_MS = 5_000;

export interface EtcdLoopMemoryOptions {
  readonly etcd: Etcd;
  readonly term: () => Term | null;
  /** Of this cluster, and of no other: see `clusterId`. */
  readonly clusterId: () => string;
  /** The name of the entry. */
  readonly entry: string;
  /** What was remembered of anything else does not count. */
  readonly of: string;
  /** There was something, and it cannot be used. For people. */
  readonly onTrouble: (message: string) => void;
}

export const loopKey = (entry: string): string => `loops/${entry}`;

export class EtcdLoopMemory implements LoopMemory {
  readonly #options: EtcdLoopMemoryOptions;
  #modified = 0;
  #signal: AbortSignal | null = null;

  constructor(options: EtcdLoopMemoryOptions) {
    this.#options = options;
  }

  holder(): string {
    const { clusterId, entry } = this.#options;
    return digestOfText(`${clusterId()} ${entry}`).slice(0, 32);
  }

  /** Leading is owning. */
  async own(signal: AbortSignal): Promise<AsyncDisposable> {
    this.#signal = signal;
    return { [Symbol.asyncDispose]: async () => {} };
  }

  async load(): Promise<LoopState | null> {
    const { etcd, entry, onTrouble } = this.#options;
    const found = await etcd.get(loopKey(entry));
    this.#modified = found?.modified ?? 0;
    if (found === null) return null;
    const read = await this.#parse(found.value);
    if (typeof read !== "string") return read;
    onTrouble(`what the loop of ${entry} remembers in etcd ${read}: it is looked at anew, and asked anew`);
    return null;
  }

  /** For who stands by. Null: nothing, or it cannot be understood. */
  async look(): Promise<LoopState | null> {
    const { etcd, entry } = this.#options;
    const found = await etcd.get(loopKey(entry));
    const read = found === null ? null : await this.#parse(found.value);
    return typeof read === "string" ? null : read;
  }

  async keep(state: LoopState): Promise<void> {
    const { etcd, entry, of } = this.#options;
    const term = this.#options.term();
    if (term === null) throw notLeader("this gateway does not lead its cluster");
    // By the last field no two are the same.
    const kept = { kind: "LoopMemory", version: VERSION, of, state, write: randomBytes(8).toString("hex") };
    const value = await promisify(gzip)(JSON.stringify(kept));
    if (value.length > AT_MOST_BYTES)
      throw new OdoroboError("ETCD_REFUSED", `what the loop of ${entry} remembers is too large for etcd`, {
        hint: "split the fleet, or run its gateway without a cluster",
      });
    const writing = writeInTerm(etcd, term, { key: loopKey(entry), modified: this.#modified, value });
    // Asked to stop it does not wait for an etcd without room: what was not kept was not decided.
    this.#modified = await Promise.race([writing, this.#stopped()]);
  }

  async #stopped(): Promise<never> {
    const signal = this.#signal;
    if (signal !== null && !signal.aborted)
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    await sleep(STOP_MS, undefined, { ref: false });
    throw notLeader("the gateway stops, and etcd takes nothing");
  }

  /** Or what is wrong with it, as a phrase. */
  async #parse(value: Buffer): Promise<LoopState | string> {
    let read: unknown;
    try {
      read = JSON.parse((await promisify(gunzip)(value)).toString("utf8"));
    } catch {
      return "is damaged";
    }
    const { kind, version, of, state } = (read ?? {}) as Readonly<Record<string, unknown>>;
    if (kind !== "LoopMemory") return "is something else";
    if (version !== VERSION) return `was written by another odorobo (version ${String(version)})`;
    if (of !== this.#options.of) return `is of ${String(of)}`;
    const problem = findStateError(state);
    return problem === null ? (state as LoopState) : `is damaged (${problem})`;
  }
}

/** Made by whoever comes first. */
export async function clusterId(etcd: Etcd): Promise<string> {
  const known = await etcd.get("cluster-id");
  if (known !== null) return known.value.toString("utf8");
  await etcd.write(
    [{ key: "cluster-id", created: 0 }],
    [{ put: "cluster-id", value: randomBytes(16).toString("hex") }],
  );
  return (await etcd.get("cluster-id"))?.value.toString("utf8") ?? "";
}
