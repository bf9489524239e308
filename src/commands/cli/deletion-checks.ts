/** What `vm delete` and `vm destroy` look at before they ask. */
import { OdoroboError } from "../../model/errors.ts";
import type { VmReport } from "../../model/observed-state.ts";
import type { Reached } from "../../turn/reach-nodes.ts";

/** The agent refuses it too; nobody is asked a question whose answer does not count. */
export function refuseProtected(vm: VmReport): void {
  if (!vm.spec.protect) return;
  throw new OdoroboError("PROTECTED", `${vm.name} is protected: its spec was last applied with protect: true`, {
    hint: "apply it with protect: false first, then delete it",
  });
}

/** Null: the manifests at hand, if any, are not those that it came from. */
export const isNamedIn = ({ fleet }: Reached, vm: VmReport): boolean | null =>
  fleet === null || fleet.desired.fleet.name !== vm.fleet
    ? null
    : fleet.desired.vms.some((each) => each.name === vm.name);
