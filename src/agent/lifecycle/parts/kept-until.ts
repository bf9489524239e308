import { type Instant, instant } from "../../../model/names.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";

/** A person who sees the next morning that the VM is broken where it went still has its disks as they were. */
const KEPT_SECONDS = 86_400;

/** How long what a VM left when it moved away is kept at least. */
export const keptUntil = ({ retainMovedSeconds = KEPT_SECONDS }: VmSpec, since: Instant): Instant =>
  instant(new Date(Date.parse(since) + retainMovedSeconds * 1_000).toISOString());
