/**
 * Two loops on one fleet, on two machines: the agents know which one turns it. Each loop asks some of them, always the same ones first,
 * and is quiet while any says that another has it. Agents of before say nothing, and agents that are away cannot be asked: who sees
 * none of the others' agents cannot see the others either.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { DesiredNode } from "../../model/desired-state.ts";
import { byName } from "../../model/names.ts";
import type { Clock } from "../../platform/clock.ts";
import type { AgentAccess } from "../../turn/connect-agents.ts";
import { type AgentClient, connectAgent } from "../../wire/client.ts";
import type { Lease } from "../../wire/lease.ts";
import type { Holder } from "../revision/loop-state.ts";

/** As many as know the whereabouts: enough that losing some loses nothing, few enough for 500 nodes. */
const WITNESSES = 7;
/** How long a loop that is gone keeps others out. */
const LEASE_SECONDS = 30;
/** An agent that does not say it in that time is away. */
const ANSWER_MS = 3_000;

export interface FleetLeaseOptions {
  readonly access: AgentAccess;
  readonly clock: Clock;
  /** For people. */
  readonly by: string;
  /** Left out: 30. */
  readonly seconds?: number | undefined;
}

export class FleetLease implements AsyncDisposable {
  readonly #options: FleetLeaseOptions;
  readonly #seconds: number;
  readonly #clients = new Map<string, AgentClient>();
  readonly #stop = new AbortController();
  #holder = "";
  #fleet: { readonly name: string; readonly nodes: readonly DesiredNode[] } | null = null;
  /** By the clock that never jumps; null: it is not ours, as far as we know. */
  #since: number | null = null;
  #timer: NodeJS.Timeout | null = null;
  #asking: Promise<Holder | null> | null = null;

  constructor(options: FleetLeaseOptions) {
    this.#options = options;
    this.#seconds = options.seconds ?? LEASE_SECONDS;
  }

  /** The same for the loop that takes this one's place. */
  as(holder: string): void {
    this.#holder = holder;
  }

  /** Null: it is ours. */
  async take(name: string, nodes: readonly DesiredNode[]): Promise<Holder | null> {
    const isSame = this.#fleet?.name === name && addressesOf(this.#fleet.nodes) === addressesOf(nodes);
    if (!isSame) this.#since = null;
    this.#fleet = { name, nodes };
    const { clock } = this.#options;
    if (this.#since !== null && clock.monotonicMs() - this.#since < (this.#seconds * 1_000) / 2) return null;
    return await this.#ask();
  }

  /** Resolves when it is ours. */
  async free(signal: AbortSignal): Promise<void> {
    while (this.#fleet !== null && (await this.#ask()) !== null)
      // Two who came at once, and both let go, do not come at once again.
      await sleep(this.#seconds * (50 + 100 * Math.random()), undefined, { signal });
  }

  #ask(): Promise<Holder | null> {
    this.#asking ??= this.#askAll().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #askAll(): Promise<Holder | null> {
    const { clock } = this.#options;
    const began = clock.monotonicMs();
    const witnesses = this.#witnesses();
    const granted: string[] = [];
    let other: Holder | null = null;
    const hear = (address: string, lease: Lease | null) => {
      const found = this.#others(lease);
      if (found !== null) other ??= found;
      else if (lease !== null) granted.push(address);
    };
    // It decides between two who come at once, where it answers; the others are asked together.
    const [first, ...rest] = witnesses;
    if (first !== undefined) hear(first, await this.#put(first, this.#seconds));
    if (other === null)
      await Promise.all(rest.map(async (address) => hear(address, await this.#put(address, this.#seconds))));
    if (other === null) {
      this.#since = began;
      this.#timer ??= setInterval(() => void this.#renew(), (this.#seconds * 1_000) / 3);
      return null;
    }
    // Whoever has one of them has the fleet.
    this.#letGo();
    await Promise.all(granted.map((address) => this.#put(address, 0)));
    return other;
  }

  async #renew(): Promise<void> {
    if (!this.#stop.signal.aborted) await this.#ask().catch(() => {});
  }

  #others(lease: Lease | null): Holder | null {
    if (lease === null || lease.holder === null || lease.holder === this.#holder) return null;
    return { run: null, by: lease.by, since: lease.since };
  }

  #witnesses(): readonly string[] {
    const { nodes = [] } = this.#fleet ?? {};
    return [...nodes]
      .sort((a, b) => byName(a.name, b.name))
      .slice(0, WITNESSES)
      .map(({ address }) => address);
  }

  /** Null: it cannot be asked. */
  async #put(address: string, seconds: number): Promise<Lease | null> {
    const { access, by } = this.#options;
    let client = this.#clients.get(address);
    if (client === undefined) {
      client = connectAgent({ ...access, address, answerMs: ANSWER_MS, patience: { awayMs: 0 } });
      this.#clients.set(address, client);
    }
    try {
      const request = { holder: this.#holder, by: by.slice(0, 200), seconds };
      return await client.lease(this.#fleet?.name ?? "", request, AbortSignal.timeout(ANSWER_MS));
    } catch {
      return null;
    }
  }

  #letGo(): void {
    this.#since = null;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Whoever waits for it has it at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const isOurs = this.#since !== null;
    this.#letGo();
    await this.#asking?.catch(() => {});
    this.#letGo();
    if (isOurs) await Promise.all(this.#witnesses().map((address) => this.#put(address, 0)));
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
    this.#clients.clear();
  }
}

const addressesOf = (nodes: readonly DesiredNode[]): string =>
  nodes.map(({ name, address }) => `${name} ${address}`).join();
