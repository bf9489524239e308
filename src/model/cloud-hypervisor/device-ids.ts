/** The ids of devices: what `vm.info`, counters and removals call them. Pure. */
import { digestOfText } from "../digest.ts";
import { identityOf } from "../item-identity.ts";
import { DEVICE_LISTS } from "./device-lists.ts";
import type { PciDevice, VmConfig } from "./vm-config.ts";

/** The cloud-init image. No disk and no NIC of a spec has a dot in its name. */
export const SEED_ID = "seed.device";
const VSOCK_ID = "vsock.device";

/** Of a virtio-blk serial number, which guests show as `/dev/disk/by-id/virtio-…`. */
const SERIAL_BYTES = 20;

/** What the guest reads as the disk's serial number. */
export const diskSerial = (name: string): string =>
  name.length <= SERIAL_BYTES ? name : `${name.slice(0, 11)}-${digestOfText(name).slice(0, 8)}`;

/**
 * With an id for every device that can be added and taken away. One that was given none is called after what it is, so that it
 * has the same id tomorrow: `fs.share1`, `pmem.3f2a9c01`.
 */
export function withIds(config: VmConfig): VmConfig {
  const named: Record<string, unknown> = {};
  const taken = new Set<string>();
  for (const { list } of DEVICE_LISTS) for (const { id } of config[list] ?? []) if (id !== undefined) taken.add(id);
  for (const { list } of DEVICE_LISTS) {
    const items: readonly PciDevice[] | undefined = config[list];
    if (items === undefined || items.every((item) => item.id !== undefined)) continue;
    named[list] = items.map((item) => {
      if (item.id !== undefined) return item;
      const id = firstFree(idOf(list, item), taken);
      taken.add(id);
      return { id, ...item };
    });
  }
  const vsock = config.vsock === undefined ? {} : { vsock: { id: VSOCK_ID, ...config.vsock } };
  return { ...config, ...named, ...vsock };
}

/** The other way: an id that a device has only because it was given none is nothing that anybody said. */
export function withoutGivenIds(list: string, items: readonly unknown[]): readonly unknown[] {
  if (!DEVICE_LISTS.some((row) => row.list === list)) return items;
  return items.map((item) => {
    const { id, ...rest } = (item ?? {}) as PciDevice;
    return id === idOf(list, rest) ? rest : item;
  });
}

function idOf(list: string, item: object): string {
  const identity = identityOf(item) ?? "0";
  return `${list}.${/^[a-zA-Z0-9-]{1,36}$/.test(identity) ? identity : digestOfText(identity).slice(0, 8)}`;
}

function firstFree(id: string, taken: ReadonlySet<string>): string {
  if (!taken.has(id)) return id;
  for (let number = 2; ; number++) if (!taken.has(`${id}.${number}`)) return `${id}.${number}`;
}
