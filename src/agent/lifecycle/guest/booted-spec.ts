/** What a guest was started with, brought up to date with what was changed live. Pure. */
import { compareLive, sameValue } from "../../../model/fields.ts";
import type { DriftedField, LiveConfig } from "../../../model/observed-state.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";

/**
 * A hypervisor that reconnects reads device names and sources back from this, so only what odorobo itself put there goes in:
 * a disk that somebody attached by hand stays drift.
 */
export function bootedSpecAfterUpdate(booted: VmSpec, spec: VmSpec, live: LiveConfig): VmSpec {
  return {
    ...booted,
    annotations: spec.annotations,
    weights: spec.weights,
    cpus: live.cpus,
    memory: live.memory,
    disks: ours(live.disks, spec.disks, booted.disks),
    nics: ours(live.nics, spec.nics, booted.nics),
  };
}

function ours<Item extends { readonly name: string }>(
  live: readonly Item[],
  applied: readonly Item[],
  booted: readonly Item[],
): readonly Item[] {
  return live.flatMap((item) => {
    const known = [...applied, ...booted].filter((each) => each.name === item.name);
    const same = known.find((each) => sameValue(each, item)) ?? known.at(0);
    return same ? [same] : [];
  });
}

/** Whether the guest has lost a disk or a NIC that it was known to have. */
export const hasLost = (booted: VmSpec, live: LiveConfig): boolean =>
  (["disks", "nics"] as const).some((list) =>
    booted[list].some(({ name }) => !live[list].some((each) => each.name === name)),
  );

/** Where the guest differs from the spec last applied, in words of the spec. */
export function driftOf(live: LiveConfig, spec: VmSpec, booted: VmSpec): readonly DriftedField[] {
  const drift = compareLive(live, spec).map(({ path, from, to }) => ({ path, applied: to, live: from }));
  // The running guest cannot tell which hypervisor it should have had.
  if (booted.hypervisor !== spec.hypervisor)
    drift.unshift({ path: "hypervisor", applied: spec.hypervisor, live: booted.hypervisor });
  return drift;
}
