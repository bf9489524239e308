/**
 * How a spec's disks and NICs are called inside QEMU: the same id for the device and for what is behind it.
 * A dot marks names that no manifest can produce, so the parts that we add never clash with a user's.
 */
import { digestOfText } from "../../../model/digest.ts";

export const SERIAL_ID = "serial.0";
/** Keeps the pipe for what is typed open, so that it has a reader and a writer at any time. */
export const SERIAL_INPUT_ID = "serial.input";
export const QMP_ID = "qmp.0";
export const RNG_ID = "rng.0";
export const SEED_ID = "seed.0";
export const FIRMWARE_ID = "firmware.0";

export const diskId = (name: string): string => deviceId("disk", name);
export const nicId = (name: string): string => deviceId("nic", name);
export const deviceIdOf = ({ list, name }: { readonly list: "disks" | "nics"; readonly name: string }): string =>
  list === "disks" ? diskId(name) : nicId(name);
export const diskPortId = (index: number): string => `port.disk.${index}`;
export const nicPortId = (index: number): string => `port.nic.${index}`;

/** Block nodes of disks, ours by their prefix. */
export const isDiskId = (id: string): boolean => id.startsWith("disk-") || id.startsWith("disk.");

/** What the guest reads as the disk's serial number (`/dev/disk/by-id/virtio-NAME`). virtio-blk has room for 20 bytes. */
export const diskSerial = (name: string): string =>
  name.length <= 20 ? name : `${name.slice(0, 11)}-${digestOfText(name).slice(0, 8)}`;

/** Block node names have at most 31 characters; DNS labels have up to 63. */
const deviceId = (prefix: string, name: string): string =>
  prefix.length + 1 + name.length <= 31 ? `${prefix}-${name}` : `${prefix}.${digestOfText(name).slice(0, 16)}`;
