/**
 * What makes a gateway one of several: it stands for the lead, and keeps runs and what loops remember where the others find them.
 *
 *   service/gateway.ts → [cluster.ts] → leadership.ts, cluster-reign.ts (when), etcd-loop-memory.ts, run-store/etcd/ (what)
 */
import { readFile } from "node:fs/promises";
import { Etcd } from "../../etcd/etcd.ts";
import type { EtcdTls } from "../../etcd/member.ts";
import type { Term } from "../../etcd/term.ts";
import { watchKeys } from "../../etcd/watch.ts";
import { OdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import { whoami } from "../../platform/whoami.ts";
import { EtcdRunStore } from "../../run-store/etcd/etcd-run-store.ts";
import { giveOrder } from "../../run-store/etcd/orders.ts";
import type { LoopMemory } from "../loop/parts.ts";
import type { LoopState } from "../revision/loop-state.ts";
import { ClusterReign } from "./cluster-reign.ts";
import { clusterId, EtcdLoopMemory, loopKey } from "./etcd-loop-memory.ts";
import { type Leader, type LeaderNews, Leadership } from "./leadership.ts";
import { OrderTaker } from "./take-orders.ts";

export interface ClusterSettings {
  /** Of this gateway, for people; null: its host and process. */
  readonly name: string | null;
  /** Raised by people after etcd was restored. */
  readonly epoch: number;
  readonly endpoints: readonly string[];
  readonly tls: { readonly caFile: string; readonly certFile: string | null; readonly keyFile: string | null } | null;
  /** Ends with a slash. */
  readonly prefix: string;
  readonly leaseSeconds: number;
}

export interface ClusterParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Where people reach this gateway; null: nobody said. */
  readonly url: string | null;
  /** `runs resume`, where this gateway leads. */
  readonly carryOn: (run: string, by: string) => Promise<void>;
  /** Told beside the log. Must not throw. */
  readonly told: (news: LeaderNews) => void;
}

export class Cluster implements AsyncDisposable {
  readonly reign: ClusterReign;
  readonly runs: EtcdRunStore;
  readonly etcd: Etcd;
  readonly #settings: ClusterSettings;
  readonly #parts: ClusterParts;
  readonly #leadership: Leadership;
  readonly #orders: OrderTaker;
  readonly #stop = new AbortController();
  readonly #loops = new Map<string, () => void>();
  #since: string;
  #id = "";
  #running: Promise<unknown> = Promise.resolve();

  constructor(settings: ClusterSettings, tls: EtcdTls | null, parts: ClusterParts) {
    const { clock, log } = parts;
    const { endpoints, prefix, leaseSeconds } = settings;
    this.#settings = settings;
    this.#parts = parts;
    this.#since = clock.now();
    this.etcd = new Etcd({ endpoints, tls, prefix });
    this.reign = new ClusterReign(settings.epoch);
    this.#leadership = new Leadership({
      ...{ etcd: this.etcd, clock, name: this.name, url: parts.url, leaseSeconds },
      told: (news) => this.#hear(news),
    });
    this.runs = new EtcdRunStore({
      etcd: this.etcd,
      term: () => this.reign.term,
      leaderTerm: () => this.#leadership.leader?.term ?? null,
      onTrouble: ({ code, message, hint }) => log.warn({ code, hint }, `nothing new is begun: ${message}`),
    });
    this.#orders = new OrderTaker({ etcd: this.etcd, store: this.runs, clock, carryOn: parts.carryOn });
    this.runs.onListening = () => this.#orders.hinted();
  }

  get name(): string {
    return this.#settings.name ?? whoami();
  }

  /** As last seen; null: nobody leads, or nobody can be asked. */
  get leader(): Leader | null {
    return this.#leadership.leader;
  }

  get leads(): boolean {
    return this.#leadership.term !== null;
  }

  /** Since when it leads, or follows that one. */
  get since(): string {
    return this.#since;
  }

  get leaseAgeMs(): number | null {
    return this.#leadership.leaseAgeMs;
  }

  begin(): void {
    const { signal } = this.#stop;
    const rule = async (term: Term) => {
      if (this.#id === "") this.#id = await clusterId(this.etcd);
      await Promise.all([this.reign.rule(term, signal), this.#orders.take(term, signal)]);
    };
    this.#running = Promise.all([
      this.#leadership.run(signal, rule),
      watchKeys(this.etcd, WATCHED, (keys) => this.#hint(keys), signal),
    ]);
  }

  memoryOf(entry: string, of: string): LoopMemory & { look(): Promise<LoopState | null> } {
    const { log } = this.#parts;
    return new EtcdLoopMemory({
      ...{ etcd: this.etcd, entry, of },
      term: () => this.reign.term,
      clusterId: () => this.#id,
      onTrouble: (message) => log.warn({ fleet: entry }, message),
    });
  }

  /** Called when what the loop of that entry remembers was written. */
  onLoop(entry: string, act: () => void): Disposable {
    this.#loops.set(entry, act);
    return { [Symbol.dispose]: () => void this.#loops.delete(entry) };
  }

  /** Where somebody leads. */
  async carryOn(run: string, by: string): Promise<void> {
    const { term } = this.reign;
    if (term !== null && !term.lost.aborted) await this.#parts.carryOn(run, by);
    else await giveOrder(this.etcd, run, { kind: "resume", by });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.etcd.close();
  }

  #hint(keys: readonly string[] | null): void {
    const isAbout = (prefix: string) => keys === null || keys.some((key) => key.startsWith(prefix));
    if (isAbout("leader/")) this.#leadership.hinted();
    if (isAbout("heads/")) this.runs.hinted();
    if (isAbout("orders/")) this.#orders.hinted();
    for (const [entry, act] of this.#loops) if (isAbout(loopKey(entry))) act();
  }

  #hear(news: LeaderNews): void {
    const { log, clock, told } = this.#parts;
    if (news.kind !== "trouble") this.#since = clock.now();
    if (news.kind === "leads") log.info({ term: news.term }, "this gateway leads now");
    else if (news.kind === "lost")
      log.warn({ term: news.term }, `this gateway has lost the lead: ${news.because}. What is in flight ends`);
    else if (news.kind === "trouble")
      log.warn({ err: news.error }, "the cluster cannot be asked who leads: nothing is begun before it can");
    else if (news.leader === null) log.warn({}, "nobody leads the cluster");
    else log.info({ leader: news.leader.name, term: news.leader.term, url: news.leader.url }, "another gateway leads");
    told(news);
  }
}

const WATCHED = ["leader/", "heads/", "orders/", "loops/"];

/** Rejects with AGENT_CONFIG when a certificate cannot be read. Asks nobody yet. */
export async function openCluster(settings: ClusterSettings, parts: ClusterParts): Promise<Cluster> {
  return new Cluster(settings, await readTls(settings), parts);
}

export async function readTls({ tls }: Pick<ClusterSettings, "tls">): Promise<EtcdTls | null> {
  if (tls === null) return null;
  const read = async (path: string | null) =>
    path === null
      ? null
      : await readFile(path).catch((cause) => {
          throw new OdoroboError("AGENT_CONFIG", `cannot read ${path}`, {
            cause,
            hint: "cluster.etcd.tls names it",
          });
        });
  return { ca: (await read(tls.caFile)) as Buffer, cert: await read(tls.certFile), key: await read(tls.keyFile) };
}
