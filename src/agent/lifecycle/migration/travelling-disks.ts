/** Which disks' bytes have to go along with a guest, and whether the other node has what is below them. */
import type { TravellingDisk } from "../../../wire/move-line.ts";
import type { ImageNote } from "../../storage/image-note.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

const MIB = 1024 * 1024;

/** The agent's own. Those of others are where both nodes see them. Stand-ins have no bytes. */
export function travellingDisks(parts: Parts, slot: Slot, vm: VmRecord): readonly TravellingDisk[] {
  const spec = vm.guest?.bootedSpec ?? vm.spec;
  if (parts.hypervisors.get(spec.hypervisor)?.disks !== "real") return [];
  const live = new Map((slot.live?.disks ?? spec.disks).map((disk) => [disk.name, disk]));
  return spec.disks.flatMap((disk) => {
    const { origin } = live.get(disk.name) ?? disk;
    if (origin.kind === "external") return [];
    const below = (vm.images?.[disk.name] ?? []).map(({ bytes, samples }) => ({ bytes, samples }));
    return [{ name: disk.name, bytes: origin.sizeMiB * MIB, below }];
  });
}

/** Those of them that stand on the same bytes here. */
export const sameBelow = (
  disks: readonly TravellingDisk[],
  images: Readonly<Record<string, readonly ImageNote[]>>,
): readonly string[] =>
  disks.flatMap(({ name, below }) => {
    const here = images[name] ?? [];
    const isSame =
      below.length > 0 &&
      below.length === here.length &&
      below.every((each, index) => each.bytes === here[index]?.bytes && each.samples === here[index]?.samples);
    return isSame ? [name] : [];
  });
