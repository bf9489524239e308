/** Where a guest can be found, for the report. From what is in memory: a report waits for nobody. Pure. */
import type { GuestAddress, OpenForward, VmReport } from "../../../model/observed-state.ts";
import type { Forward } from "../../../model/vm-spec.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import { withChosenPorts } from "../parts/chosen-ports.ts";
import type { Slot } from "../parts/slot.ts";

/** Declared addresses are told of a guest that is off, too: it will have them. What was heard is told of one that runs. */
export function foundAt(vm: VmRecord, slot: Slot): Pick<VmReport, "addresses" | "forwards"> {
  const forwards = openForwards(vm, slot);
  const addresses: GuestAddress[] = [
    ...vm.spec.nics.flatMap(({ name, address }) =>
      address === null ? [] : [{ address: address.split("/")[0] ?? address, source: "declared", nic: name } as const],
    ),
    ...slot.heard,
    ...forwards.map(({ nic, host, hostPort }) => ({ address: `${host}:${hostPort}`, source: "forward", nic }) as const),
  ];
  return {
    ...(addresses.length === 0 ? {} : { addresses }),
    ...(forwards.length === 0 ? {} : { forwards }),
  };
}

/** Of user networks as its hypervisor says, of others as its agent was told last: that opens them. */
function openForwards(vm: VmRecord, { live }: Slot): readonly OpenForward[] {
  return (live?.nics ?? []).flatMap((nic) => {
    const { name } = nic;
    const forwards = nic.attachment.kind === "bridge" ? forwardsFor(vm, name) : nic.forwards;
    return (forwards ?? []).flatMap(({ hostPort, guestPort, protocol, host }) =>
      hostPort === null ? [] : [{ nic: name, host, hostPort, guestPort, protocol }],
    );
  });
}

const forwardsFor = ({ spec, hostPorts }: VmRecord, name: string): readonly Forward[] =>
  withChosenPorts(spec.nics.find((nic) => nic.name === name)?.forwards ?? [], name, hostPorts);
