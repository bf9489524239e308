/** What people are told beside the log: few things, each worth a message. */
import type { ErrorCode } from "../../model/errors.ts";
import type { Instant, NodeName, VmName } from "../../model/names.ts";

export const TOPICS = ["failed", "waiting", "drift", "silent", "healed"] as const;
export type Topic = (typeof TOPICS)[number];

export interface Notice {
  readonly topic: Topic;
  readonly at: Instant;
  /** One sentence, for people. */
  readonly message: string;
  readonly code: ErrorCode | null;
  /** The next step; null: none. */
  readonly hint: string | null;
  readonly revision: string | null;
  readonly commit: string | null;
  readonly run: string | null;
  readonly vms: readonly VmName[];
  readonly node: NodeName | null;
}

/** What is sent, as `schemas/notification.schema.json` has it. */
export interface Notification {
  readonly kind: "Notification";
  readonly version: 1;
  /** The same when it is sent again. */
  readonly id: string;
  readonly at: Instant;
  readonly fleet: string;
  readonly notices: readonly Notice[];
  /** What was not said one by one: too much at once, or too often. */
  readonly more: Readonly<Partial<Record<Topic, number>>>;
  /** Where to look; null: the gateway was not told its address. */
  readonly link: string | null;
}
