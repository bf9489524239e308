/** The part of QEMU's machine protocol that we speak: each command with its arguments and its answer. Source: QEMU's qapi/*.json. */
import type { BlockNode } from "./block-node.ts";
import type { Properties } from "./option-text.ts";

export interface QmpCommands {
  qmp_capabilities: { args: undefined; answer: object };
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
  block_resize: { args: { "node-name": string; size: number }; answer: object };
  "blockdev-add": { args: BlockNode; answer: object };
  "blockdev-del": { args: { "node-name": string }; answer: object };
  netdev_add: { args: Properties; answer: object };
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

export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}
