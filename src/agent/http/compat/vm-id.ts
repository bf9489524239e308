/** The ids of the Rust agent's clients and the names of ours. */
import { isDnsLabel, type VmName, vmName } from "../../../model/names.ts";

/**
 * Its ids could be nearly anything; ours are host names, because they become unit names, folders and interfaces. Upper case
 * (ULIDs are written so) is folded; whatever else is no name has no VM here. Null: no VM can have this id.
 */
export function toVmName(id: string): VmName | null {
  const name = id.toLowerCase();
  return isDnsLabel(name) ? vmName(name) : null;
}
