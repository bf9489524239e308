/** The part of QEMU's machine protocol that we speak: each command with its arguments and its answer. Source: QEMU's qapi/*.json. */
import type { BlockNode } from "../block-node.ts";
import type { Properties } from "../option-text.ts";

export interface QmpCommands {
  qmp_capabilities: { args: undefined; answer: object };
  "human-monitor-command": { args: { "command-line": string }; answer: string };
  "query-status": { args: undefined; answer: { readonly status: string } };
  stop: { args: undefined; answer: object };
  cont: { args: undefined; answer: object };
  quit: { args: undefined; answer: object };
  system_powerdown: { args: undefined; answer: object };
  "query-chardev": { args: undefined; answer: readonly { readonly label: string; readonly filename: string }[] };
  "chardev-add": { args: { id: string; backend: CharacterBackend }; answer: object };
  "chardev-change": { args: { id: string; backend: CharacterBackend }; answer: object };
  "query-hotpluggable-cpus": { args: undefined; answer: readonly CpuSlot[] };
  "query-memory-size-summary": { args: undefined; answer: MemorySummary };
  "query-block": { args: undefined; answer: readonly BlockBackend[] };
  "query-named-block-nodes": { args: { flat: true }; answer: readonly { readonly "node-name": string }[] };
  "qom-list": { args: { path: string }; answer: readonly { readonly name: string }[] };
  "qom-get": { args: { path: string; property: string }; answer: unknown };
  "migrate-set-capabilities": {
    args: { capabilities: readonly { capability: string; state: boolean }[] };
    answer: object;
  };
  "migrate-set-parameters": { args: { "max-bandwidth": number; "downtime-limit": number }; answer: object };
  migrate: { args: { uri: string }; answer: object };
  "migrate-incoming": { args: { uri: string }; answer: object };
  "migrate-continue": { args: { state: "pre-switchover" }; answer: object };
  migrate_cancel: { args: undefined; answer: object };
  "query-migrate": { args: undefined; answer: MigrationInfo };
  "announce-self": { args: { initial: number; max: number; rounds: number; step: number }; answer: object };
  "nbd-server-start": { args: { addr: { type: "unix"; data: { path: string } } }; answer: object };
  "nbd-server-stop": { args: undefined; answer: object };
  "block-export-add": {
    args: { type: "nbd"; id: string; "node-name": string; name: string; writable: boolean };
    answer: object;
  };
  "block-export-del": { args: { id: string; mode: "hard" | "safe" }; answer: object };
  "query-block-exports": { args: undefined; answer: readonly { readonly id: string }[] };
  "blockdev-mirror": {
    args: { "job-id": string; device: string; target: string; sync: "top" | "full" };
    answer: object;
  };
  "block-job-cancel": { args: { device: string; force: boolean }; answer: object };
  "query-block-jobs": { args: undefined; answer: readonly BlockJob[] };
  block_resize: { args: { "node-name": string; size: number }; answer: object };
  "blockdev-add": { args: BlockNode; answer: object };
  "blockdev-del": { args: { "node-name": string }; answer: object };
  netdev_add: { args: Readonly<Record<string, unknown>>; answer: object };
  netdev_del: { args: { id: string }; answer: object };
  device_add: { args: Properties; answer: object };
  device_del: { args: { id: string }; answer: object };
}

export type CharacterBackend =
  | { readonly type: "pipe"; readonly data: { readonly device: string } }
  | { readonly type: "file"; readonly data: { readonly in: string; readonly out: string; readonly append: true } };

export interface CpuSlot {
  readonly type: string;
  readonly "vcpus-count": number;
  readonly props: Readonly<Record<string, number>>;
  /** There only while the slot is taken. */
  readonly "qom-path"?: string;
}

export interface MemorySummary {
  readonly "base-memory": number;
  readonly "plugged-memory"?: number;
}

export interface BlockBackend {
  /** Why the guest was stopped, where it was because of this device. */
  readonly "io-status"?: "ok" | "failed" | "nospace";
  readonly inserted?: {
    readonly "node-name"?: string;
    readonly ro: boolean;
    readonly image: { readonly "virtual-size": number };
  };
}

export interface BlockJob {
  readonly device: string;
  readonly status: string;
  readonly ready: boolean;
  readonly offset: number;
  readonly len: number;
  readonly speed: number;
  readonly error?: string;
  readonly "io-status": "ok" | "failed" | "nospace";
}

/** Left out is what does not apply: an answer without `status` is of a process that never migrated. */
export interface MigrationInfo {
  readonly status?: string;
  readonly "error-desc"?: string;
  readonly downtime?: number;
  readonly "expected-downtime"?: number;
  readonly ram?: {
    readonly transferred: number;
    readonly remaining: number;
    /** Megabits a second. */
    readonly mbps: number;
    readonly "dirty-pages-rate": number;
    readonly "page-size": number;
  };
}

export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}
