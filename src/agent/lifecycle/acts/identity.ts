/**
 * By what a guest knows itself: the UUID of its machine, and the id by which cloud-init tells a new instance from one that it
 * has set up. Both are made once and stay with the VM's disks, through reboots, changed specs and a deletion that is taken back.
 */
import { digestOfText } from "../../../model/digest.ts";
import { seedImageFile } from "../../launch-command.ts";
import { readInstanceId } from "../../storage/seed-image.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import type { Parts } from "../parts/parts.ts";

export interface Identity {
  readonly uuid: string;
  readonly instanceId: string;
}

type Named = Pick<VmRecord, "name" | "fleet">;

/** An agent of before wrote the instance's id nowhere but into the seed image: that one is kept. */
export async function identityOf(parts: Parts, vm: VmRecord): Promise<Identity> {
  const seed = seedImageFile(parts.store.paths(vm.name));
  return {
    uuid: vm.uuid ?? deriveUuid(vm),
    instanceId: vm.instanceId ?? (await readInstanceId(seed, vm.name)) ?? deriveInstanceId(vm),
  };
}

/** The same on every node, as MAC addresses are. Version 8 of RFC 9562: made from a digest of one's own choice. */
export function deriveUuid({ fleet, name }: Named): string {
  const hex = digestOfText(`uuid/${fleet ?? ""}/${name}`);
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join("-");
}

const deriveInstanceId = ({ fleet, name }: Named): string =>
  `${name}-${digestOfText(`instance/${fleet ?? ""}/${name}`).slice(0, 12)}`;
