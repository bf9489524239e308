/** A maintenance stops guests for as long as it lasts: no more members of a group at a time than it may be without. */
import type { Blocked } from "../model/changes.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { byName } from "../model/names.ts";
import { wantsRunning } from "../model/vm-spec.ts";
import type { Draft } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";

export function holdGroups(
  drafts: readonly Draft[],
  desired: DesiredState,
  sightings: Sightings,
): { readonly kept: readonly Draft[]; readonly held: readonly Blocked[] } {
  const held: Blocked[] = [];
  for (const group of desired.groups) {
    const stopping = drafts.filter((draft) => draft.staysDown && draft.group === group.name);
    if (stopping.length === 0) continue;
    const down = desired.vms.filter(({ name, spec }) => spec.group === group.name && isDown(name, sightings));
    const room = Math.max(0, group.maxUnavailable - down.length);
    for (const { name, node, source } of [...stopping].sort((a, b) => byName(a.name, b.name)).slice(room))
      held.push({
        name,
        code: "NOT_MOVABLE",
        message: `${name} stays up on ${node}: of ${group.name} no more than ${group.maxUnavailable} may be down, and ${down.length + stopping.length} would be until the maintenance is over`,
        hint: "let its members move (onDrain: migrate), raise the group's maxUnavailable, or take the nodes one after another",
        source,
      });
  }
  const names = new Set(held.map(({ name }) => name));
  return { kept: drafts.filter(({ name }) => !names.has(name)), held };
}

/** It should run, and does not. */
function isDown(name: Draft["name"], sightings: Sightings): boolean {
  const location = sightings.locate(name);
  if (location.kind !== "present") return false;
  const { spec, phase, endedBy } = location.vm;
  return wantsRunning(spec.runStrategy, endedBy === "guest") === true && (phase === "stopped" || phase === "crashed");
}
