/**
 * etcd as we use it: reads that see everything written before them, writes on conditions, leases. Below one prefix, with a deadline for
 * each call, and the next member where one fails.
 *
 *   run-store/etcd/, gateway/cluster/ → [etcd.ts], watch.ts → member.ts → etcd
 */
import { OdoroboError } from "../model/errors.ts";
import { unreachable } from "./etcd-errors.ts";
import { type EtcdTls, Member } from "./member.ts";
import type { Calls, Header, RawEntry } from "./messages.ts";

export interface EtcdOptions {
  readonly endpoints: readonly string[];
  /** Null: in the clear. */
  readonly tls: EtcdTls | null;
  /** Of all keys: `/odorobo/prod/`. */
  readonly prefix: string;
  /** Of each call; left out: 600. A follower whose leader is paused answers nothing, and the next member may. */
  readonly callMs?: number;
}

/** Keys are below the prefix. */
export interface Entry {
  readonly key: string;
  readonly value: Buffer;
  /** Revisions: when it was made, and when it was last written. */
  readonly created: number;
  readonly modified: number;
}

export interface Read {
  readonly revision: number;
  readonly entries: readonly Entry[];
}

/** 0: there is none. */
export type Condition =
  | { readonly key: string; readonly created: number }
  | { readonly key: string; readonly modified: number };

export type Write =
  | { readonly put: string; readonly value: string | Uint8Array; readonly lease?: string }
  | { readonly remove: string }
  | { readonly removeBelow: string };

export interface ReadOptions {
  /** Of `below`: keys before this one are left out. */
  readonly from?: string;
  readonly limit?: number;
  /** By when they were made; else by their keys. */
  readonly oldestFirst?: boolean;
  readonly keysOnly?: boolean;
}

const CALL_MS = 600;

export class Etcd {
  readonly options: EtcdOptions;
  readonly #members: readonly Member[];
  readonly #callMs: number;
  #at = 0;
  /** Of what answered last. */
  #seen: { readonly cluster: string; readonly revision: number } | null = null;
  #setBack: OdoroboError | null = null;

  constructor(options: EtcdOptions) {
    this.options = options;
    this.#callMs = options.callMs ?? CALL_MS;
    this.#members = options.endpoints.map((endpoint) => new Member(endpoint, options.tls));
  }

  /** Rejects with ETCD_UNREACHABLE when no member answers, or with ETCD_REFUSED. */
  async read(
    where: { readonly key: string } | { readonly below: string },
    { limit = 0, oldestFirst = false, keysOnly = false, from }: ReadOptions = {},
  ): Promise<Read> {
    const range = "key" in where ? { key: this.#full(where.key) } : this.#below(where.below);
    if (from !== undefined) Object.assign(range, { key: this.#full(from) });
    const sort = oldestFirst ? { sort_order: "ASCEND", sort_target: "CREATE" } : {};
    const answer = await this.#ask("KV/Range", { ...range, ...sort, limit: String(limit), keys_only: keysOnly });
    return { revision: Number(answer.header.revision), entries: answer.kvs.map((each) => this.#toEntry(each)) };
  }

  async get(key: string): Promise<Entry | null> {
    return (await this.read({ key })).entries[0] ?? null;
  }

  /**
   * All of it or nothing; false: a condition does not hold. One member is asked, once: after ETCD_UNREACHABLE it may have been done, may
   * not, or may yet be. Who writes again does so on a condition that holds only if it was not.
   */
  async write(
    conditions: readonly Condition[],
    writes: readonly Write[],
  ): Promise<{ readonly isDone: boolean; readonly revision: number }> {
    const compare = conditions.map((condition) => ({
      result: "EQUAL",
      key: this.#full(condition.key),
      ...("created" in condition
        ? { target: "CREATE", create_revision: String(condition.created) }
        : { target: "MOD", mod_revision: String(condition.modified) }),
    }));
    const success = writes.map((write) => this.#toOperation(write));
    const answer = await this.#askOnce("KV/Txn", { compare, success });
    return { isDone: answer.succeeded, revision: Number(answer.header.revision) };
  }

  /** Its id, and how long it lasts without being renewed: etcd gives no less than some seconds. */
  async grant(seconds: number): Promise<{ readonly id: string; readonly seconds: number }> {
    const { ID, TTL } = await this.#ask("Lease/LeaseGrant", { TTL: String(seconds) });
    return { id: ID, seconds: Number(TTL) };
  }

  /** For so many seconds from now; 0: it is gone. */
  renew(lease: string): Promise<number> {
    return this.#inTurn(async (member) => {
      const stream = member.stream<object, { readonly header: Header; readonly TTL: string }>(
        "Lease/LeaseKeepAlive",
        this.#callMs,
      );
      try {
        stream.send({ ID: lease });
        for await (const { header, TTL } of stream.answers) {
          this.#seeCluster(header);
          return Number(TTL);
        }
        throw unreachable(`${member.endpoint} did not answer`, null);
      } finally {
        stream.close();
      }
    });
  }

  /** With all keys that hang on it. */
  async revoke(lease: string): Promise<void> {
    await this.#ask("Lease/LeaseRevoke", { ID: lease });
  }

  /** What each says of itself, or that it says nothing. */
  async members(): Promise<readonly MemberStatus[]> {
    return await Promise.all(
      this.#members.map(async (member): Promise<MemberStatus> => {
        const { endpoint } = member;
        try {
          const status = await member.ask("Maintenance/Status", {}, this.#callMs);
          const { alarms } = await member.ask("Maintenance/Alarm", { action: "GET" }, this.#callMs);
          const { version, dbSize, leader, header } = status;
          return {
            ...{ endpoint, version, bytes: Number(dbSize), hasLeader: leader !== "0", cluster: header.cluster_id },
            ...{ alarms: [...new Set(alarms.map(({ alarm }) => alarm))], error: null },
          };
        } catch (error) {
          const said = error instanceof Error ? error.message : String(error);
          return { endpoint, version: null, bytes: 0, hasLeader: false, cluster: null, alarms: [], error: said };
        }
      }),
    );
  }

  /** For `watch.ts`: the member that answered last, and another next time if it says that this one failed. */
  get member(): Member {
    return this.#members[this.#at % this.#members.length] as Member;
  }

  failed(member: Member): void {
    if (member === this.member) this.#at = (this.#at + 1) % this.#members.length;
  }

  rangeBelow(prefix: string): object {
    return this.#below(prefix);
  }

  close(): void {
    for (const member of this.#members) member.close();
  }

  /** What may be asked twice. */
  #ask<Name extends keyof Calls>(name: Name, request: Calls[Name][0]): Promise<Calls[Name][1]> {
    return this.#inTurn(async (member) => {
      const answer = await member.ask(name, request, this.#callMs);
      if (name.startsWith("KV/")) this.#see(answer.header);
      else this.#seeCluster(answer.header);
      return answer;
    });
  }

  async #askOnce<Name extends keyof Calls>(name: Name, request: Calls[Name][0]): Promise<Calls[Name][1]> {
    const { member } = this;
    if (this.#setBack !== null) throw this.#setBack;
    try {
      const answer = await member.ask(name, request, this.#callMs);
      this.#see(answer.header);
      return answer;
    } catch (error) {
      this.failed(member);
      throw error;
    }
  }

  async #inTurn<Result>(act: (member: Member) => Promise<Result>): Promise<Result> {
    let last: unknown = null;
    for (const _ of this.#members) {
      if (this.#setBack !== null) throw this.#setBack;
      const { member } = this;
      try {
        return await act(member);
      } catch (error) {
        last = error;
        if (error instanceof OdoroboError && error.code === "ETCD_REFUSED") throw error;
        this.failed(member);
      }
    }
    throw last;
  }

  /** A backup that was restored under us tells less than we know: nothing of what we go by is there any more. */
  #see(header: Header): void {
    this.#seeCluster(header);
    const { cluster_id: cluster, revision: text } = header;
    const revision = Number(text);
    const before = this.#seen;
    if (before !== null && revision < before.revision - BEHIND_AT_MOST)
      this.#setBack = setBack(`was at revision ${before.revision} and is at ${revision}`);
    if (this.#setBack !== null) throw this.#setBack;
    if (before === null || revision > before.revision) this.#seen = { cluster, revision };
  }

  /** Of a lease any member may answer, and one that was away is behind by as much as happened meanwhile: its revision says nothing. */
  #seeCluster({ cluster_id: cluster }: Header): void {
    if (this.#seen !== null && this.#seen.cluster !== cluster)
      this.#setBack = setBack("is another cluster than before");
    if (this.#setBack !== null) throw this.#setBack;
  }

  #full(key: string): Buffer {
    return Buffer.from(this.options.prefix + key);
  }

  #below(prefix: string): { readonly key: Buffer; readonly range_end: Buffer } {
    const key = this.#full(prefix);
    const end = Buffer.from(key);
    end[end.length - 1] = (end.at(-1) as number) + 1;
    return { key, range_end: end };
  }

  #toEntry({ key, value, create_revision, mod_revision }: RawEntry): Entry {
    const name = key.subarray(Buffer.byteLength(this.options.prefix)).toString("utf8");
    return { key: name, value, created: Number(create_revision), modified: Number(mod_revision) };
  }

  #toOperation(write: Write): object {
    if ("put" in write) {
      const { put, value, lease = "0" } = write;
      const bytes = typeof value === "string" ? Buffer.from(value) : value;
      return { request_put: { key: this.#full(put), value: bytes, lease } };
    }
    return {
      request_delete_range: "remove" in write ? { key: this.#full(write.remove) } : this.#below(write.removeBelow),
    };
  }
}

/** Answers overtake one another. */
const BEHIND_AT_MOST = 1_000;

const setBack = (how: string): OdoroboError =>
  new OdoroboError("ETCD_REFUSED", `etcd ${how}: it was restored from a backup, or the endpoints are another's`, {
    hint: "stop all gateways of the cluster, raise cluster.epoch in their files, and start them: docs/high-availability.md",
  });

export interface MemberStatus {
  readonly endpoint: string;
  /** Null: it did not answer, as `error` says. */
  readonly version: string | null;
  readonly bytes: number;
  readonly hasLeader: boolean;
  readonly cluster: string | null;
  /** Of the whole cluster, each once: a member tells those of all. */
  readonly alarms: readonly string[];
  readonly error: string | null;
}
