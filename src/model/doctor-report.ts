/** What `doctor` found on one server (`schemas/doctor-report.schema.json`). */
import type { Instant } from "./names.ts";

/**
 * - `ok`: looked at, and as it should be.
 * - `warn`: works, and will bite one day, or only part of what odorobo can do works.
 * - `fail`: guests cannot be run so, or are in danger.
 * - `unknown`: could not be seen. Never told as ok.
 */

export type FindingLevel = "ok" | "warn" | "fail" | "unknown";

export interface Finding {
  /** What was looked at: `kvm`, `hypervisor.qemu`, `disk.data`. */
  readonly check: string;
  readonly level: FindingLevel;
  /** For people: what is so. */
  readonly message: string;
  /** What to do about it; null when there is nothing to do. */
  readonly hint: string | null;
}

export interface DoctorReport {
  readonly kind: "DoctorReport";
  readonly version: 1;
  readonly at: Instant;
  /** The node's name; null: no agent was asked, this is the machine that the command ran on. */
  readonly node: string | null;
  /** In the order in which one would look: the processor first, leftovers last. */
  readonly findings: readonly Finding[];
}
