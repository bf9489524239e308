/** Disks that hold only what their guests wrote stand on images: whether those are still what they were, as the agent noted it. */
import { type Check, fail, ok, unknown } from "../examination.ts";

export const checkImages: Check = async ({ settings: { known } }) => {
  if (known === null) return [unknown("images", "no agent was asked what lies below the disks of its VMs")];
  if (known.images.length === 0) return [ok("images", "what was noted below the disks of the VMs is as it was")];
  return known.images.map(({ vm, message, hint }) => fail("images", `${vm}: ${message}`, hint));
};
