/** What a change does to whoever uses the VM, in plain words: what a review asks first. */
import type { ChangeClass } from "../../model/change-class.ts";
import type { Change } from "../../model/changes.ts";

const BY_CLASS: Readonly<Record<ChangeClass, string>> = {
  none: "none",
  metadata: "none",
  live: "none",
  pause: "stands still until it is resumed",
  migrate: "a brief pause",
  reboot: "a restart",
  replace: "down, and made anew",
  destroy: "gone; its disks are kept",
};

export function describeImpact({ action, class: changeClass }: Change): string {
  if (action === "create" || action === "boot") return "none";
  if (action === "stop") return "down until it is started";
  if (action === "migrate" && changeClass === "reboot") return "down while it moves, or a restart";
  return BY_CLASS[changeClass];
}
