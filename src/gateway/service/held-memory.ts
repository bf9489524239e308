/**
 * What a loop remembers, held below the ceiling as it is said now: lowered since, it counts at once. Raised, it counts from the next
 * revision on, because of an earlier one only the lowered policy is remembered.
 */
import type { LoopMemory } from "../loop/parts.ts";
import type { PolicyCeiling } from "./gateway-config.ts";
import { holdBelow } from "./policy-ceiling.ts";

export function heldMemory(memory: LoopMemory, ceiling: PolicyCeiling | null): LoopMemory {
  return {
    holder: () => memory.holder(),
    own: (signal, onHeld) => memory.own(signal, onHeld),
    keep: (state) => memory.keep(state),
    async load() {
      const state = await memory.load();
      if (state === null) return null;
      const revisions = state.revisions.map((each) => ({ ...each, policy: holdBelow(each.policy, ceiling).policy }));
      return { ...state, revisions };
    },
  };
}
