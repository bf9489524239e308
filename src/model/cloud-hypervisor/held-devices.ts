/**
 * Devices that a guest was asked to let go of and has not: `vm.info` has forgotten them in `config` at once, and shows them in
 * `device_tree` for as long as the process has them open. Pure.
 *
 *   vm.info → [held-devices.ts] → live-config.ts, so that a guest has what its process has
 */
import type { VmInfo } from "./api.ts";
import { DEVICE_LISTS, type DeviceList } from "./device-lists.ts";
import type { IommuDevice, VmConfig } from "./vm-config.ts";

export interface ListedDevice {
  readonly list: DeviceList | "vsock";
  readonly id: string;
  /** As the config had it. */
  readonly device: IommuDevice;
}

/** Those of `known` that are in the tree and no longer in the config. The first of an id counts. */
export function heldDevices(
  { config, device_tree: tree = {} }: Pick<VmInfo, "config" | "device_tree">,
  known: readonly ListedDevice[],
): readonly ListedDevice[] {
  const configured = new Set(listedDevices(config).map(({ id }) => id));
  const held = new Map<string, ListedDevice>();
  for (const each of known)
    if (Object.hasOwn(tree, each.id) && !configured.has(each.id) && !held.has(each.id)) held.set(each.id, each);
  return [...held.values()];
}

/** All that can be plugged and has an id. */
export function listedDevices(config: VmConfig): readonly ListedDevice[] {
  const listed = DEVICE_LISTS.flatMap(({ list }) =>
    ((config[list] ?? []) as readonly IommuDevice[]).map((device) => ({ list, device }) as const),
  );
  const { vsock } = config;
  const all = vsock === undefined ? listed : [...listed, { list: "vsock", device: vsock } as const];
  return all.flatMap(({ list, device }) => (device.id === undefined ? [] : [{ list, id: device.id, device }]));
}

/** The very same config when nothing is held. */
export function withHeldDevices(config: VmConfig, held: readonly ListedDevice[]): VmConfig {
  let all: VmConfig = config;
  for (const { list, device } of held)
    all = { ...all, [list]: list === "vsock" ? device : [...((all[list] ?? []) as readonly IommuDevice[]), device] };
  return all;
}
