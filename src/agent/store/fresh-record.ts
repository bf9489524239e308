/** The record of a VM that nothing has happened to yet but its spec. */
import { digestOf } from "../../model/digest.ts";
import type { Instant, VmName } from "../../model/names.ts";
import type { VmSpec } from "../../model/vm-spec.ts";
import { RECORD_FORMAT, type VmRecord } from "./vm-record.ts";

export interface Applied {
  readonly fleet: string | null;
  readonly commit: string | null;
  readonly generation: number;
  readonly spec: VmSpec;
}

/** Off, with no disks, serial 0. Whoever takes over a former life adds what is left of that. */
export const freshRecord = (name: VmName, { fleet, commit, generation, spec }: Applied, now: Instant): VmRecord => ({
  format: RECORD_FORMAT,
  state: "present",
  ...{ name, fleet, commit, generation, serial: 0, spec },
  specDigest: digestOf(spec),
  appliedAt: now,
  phase: "stopped",
  endedBy: null,
  reason: null,
  ready: null,
  since: now,
  drift: [],
  guest: null,
  ownDisks: {},
  unfinished: null,
  completed: [],
});
