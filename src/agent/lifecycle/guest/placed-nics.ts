/** Which NICs are on this node, as the records say, and that what is around them stands. */
import { isSameHardware } from "../../../model/fields.ts";
import type { PlacedNic } from "../../network/wanted/wanted-network.ts";
import { withChosenPorts } from "../parts/chosen-ports.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

/** Of guests that run or are being started: as they were booted, in the surroundings that the spec last applied speaks of. */
export function placedNics(parts: Parts, slots: Iterable<Slot>): readonly PlacedNic[] {
  return [...slots].flatMap(({ stored }) => {
    if (stored?.state !== "present" || stored.guest === null) return [];
    const { name, spec, appliedAt, guest, hostPorts } = stored;
    if (parts.hypervisors.get(guest.bootedSpec.hypervisor)?.disks !== "real") return [];
    return guest.bootedSpec.nics.map((nic) => {
      const told = spec.nics.find((each) => each.name === nic.name);
      const now = told !== undefined && isSameHardware(nic, told) ? told : nic;
      const forwards = withChosenPorts(now.forwards ?? [], nic.name, hostPorts);
      return { vm: name, nic: forwards.length === 0 ? now : { ...now, forwards }, appliedAt };
    });
  });
}

/** What cannot be looked at now is looked at again. */
export async function settleNetworks(parts: Parts): Promise<void> {
  try {
    await parts.network.settle?.(parts.stopping);
  } catch (error) {
    if (!parts.stopping.aborted) parts.logger.error({ err: error }, "could not look after the networks of guests");
  }
}
