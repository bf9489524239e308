/**
 * What a node in maintenance means for a VM on it: `onDrain` of the VM, as far as its guest can do that.
 *
 *   diff.ts → [drain.ts] → diff-vm.ts
 */
import { hasProcess } from "../model/capacity.ts";
import type { ChangeClass } from "../model/change-class.ts";
import type { DesiredNode, Maintenance } from "../model/desired-state.ts";
import { sayMaintenance } from "../model/maintenance.ts";
import type { VmReport } from "../model/observed-state.ts";
import type { VmSpec } from "../model/vm-spec.ts";
import { disruptionOf } from "./departure.ts";
import type { Departure } from "./draft.ts";

export type Drain =
  /** Its node is in no maintenance. */
  | { readonly kind: "none" }
  /** It is off, or stands still as it was asked to: nothing is started or resumed there. */
  | { readonly kind: "rests" }
  | { readonly kind: "moves"; readonly text: string; readonly class: ChangeClass }
  | { readonly kind: "stops" | "pauses"; readonly text: string }
  | { readonly kind: "blocks"; readonly message: string; readonly hint: string; readonly because: string };

export function drainOf(
  vm: VmReport,
  spec: VmSpec,
  node: DesiredNode,
  maintenance: Maintenance | null,
  departure: Departure,
): Drain {
  if (maintenance === null) return { kind: "none" };
  if (!hasProcess(vm)) return { kind: "rests" };
  const why = sayMaintenance(node.name, maintenance);
  switch (spec.onDrain) {
    case "migrate":
      if (departure.kind === "able") {
        const { class: changeClass, instead } = disruptionOf(departure.how);
        return { kind: "moves", text: instead === null ? why : `${why}; ${instead}`, class: changeClass };
      }
      return {
        kind: "blocks",
        message: `${why}, and ${vm.name} cannot leave it: ${departure.why}`,
        hint: "make that possible, or say in its manifest what is to be done instead: onDrain: stop",
        because: departure.why,
      };
    case "stop":
      return { kind: "stops", text: `${why}, and its onDrain is stop` };
    case "pause":
      return vm.phase === "paused" ? { kind: "rests" } : { kind: "pauses", text: `${why}, and its onDrain is pause` };
    case "block":
      return {
        kind: "blocks",
        message: `${why}, and the onDrain of ${vm.name} is block`,
        hint: "its owner says when it may leave: move it or shut it down by hand, or change its onDrain",
        because: "its onDrain is block",
      };
  }
}
