/**
 * A spec in the words of an earlier one, wherever both mean the same thing: so that a respelling is no difference to anybody
 * who compares, and no driver is told to exchange a disk for itself. Pure.
 */
import type { Disk, Nic, VmSpec } from "../vm-spec.ts";
import { canonicalDiskUrl } from "./disk-url.ts";
import { canonicalAddress, canonicalMac } from "./net-address.ts";
import { normalPath, pciAddress } from "./path.ts";

/** The very same object where nothing is spelt otherwise. */
export function inWordsOf(applied: VmSpec, spec: VmSpec): VmSpec {
  const disks = itemsInWordsOf(applied.disks, spec.disks, diskInWordsOf);
  const nics = itemsInWordsOf(applied.nics, spec.nics, nicInWordsOf);
  const boot = valueInWordsOf("", applied.boot, spec.boot) as VmSpec["boot"];
  const passthrough = valueInWordsOf("", applied.passthrough, spec.passthrough) as VmSpec["passthrough"];
  const isSame = disks === spec.disks && nics === spec.nics && boot === spec.boot && passthrough === spec.passthrough;
  return isSame ? spec : { ...spec, disks, nics, boot, passthrough };
}

export function diskInWordsOf(applied: Disk, disk: Disk): Disk {
  const [was, is] = [applied.origin, disk.origin];
  if (was.kind === "external" && is.kind === "external")
    return was.url !== is.url && canonicalDiskUrl(was.url) === canonicalDiskUrl(is.url)
      ? { ...disk, origin: was }
      : disk;
  if (
    was.kind !== "image" ||
    is.kind !== "image" ||
    was.path === is.path ||
    normalPath(was.path) !== normalPath(is.path)
  )
    return disk;
  return { ...disk, origin: { ...is, path: was.path } };
}

function nicInWordsOf(applied: Nic, nic: Nic): Nic {
  const mac = applied.mac !== nic.mac && canonicalMac(applied.mac) === canonicalMac(nic.mac) ? applied.mac : nic.mac;
  const address = addressInWordsOf(applied.address, nic.address);
  return mac === nic.mac && address === nic.address ? nic : { ...nic, mac, address };
}

function addressInWordsOf(applied: string | null, address: string | null): string | null {
  if (applied === null || address === null || applied === address) return address;
  return canonicalAddress(applied) === canonicalAddress(address) ? applied : address;
}

function itemsInWordsOf<Item extends { readonly name: string }>(
  applied: readonly Item[],
  items: readonly Item[],
  itemInWordsOf: (applied: Item, item: Item) => Item,
): readonly Item[] {
  if (applied === items) return items;
  let isSame = true;
  const said = items.map((item) => {
    const before = applied.find(({ name }) => name === item.name);
    const word = before === undefined ? item : itemInWordsOf(before, item);
    if (word !== item) isSame = false;
    return word;
  });
  return isSame ? items : said;
}

/** What odorobo does not model is compared by the names of its fields. Lists are taken place by place. */
function valueInWordsOf(key: string, applied: unknown, value: unknown): unknown {
  if (applied === value || applied === null || value === null) return value;
  if (typeof applied === "string" && typeof value === "string")
    return wordOf(key, applied) === wordOf(key, value) ? applied : value;
  if (typeof applied !== "object" || typeof value !== "object" || applied === undefined || value === undefined)
    return value;
  if (Array.isArray(applied) !== Array.isArray(value)) return value;
  let isSame = true;
  const entries = Object.entries(value).map(([name, each]): [string, unknown] => {
    const said = valueInWordsOf(name, (applied as Record<string, unknown>)[name], each);
    if (said !== each) isSame = false;
    return [name, said];
  });
  if (isSame) return value;
  return Array.isArray(value) ? entries.map(([, each]) => each) : Object.fromEntries(entries);
}

/** By which two values of a field are known to be the same. Text that is not a name of something (a command line) is itself. */
function wordOf(key: string, text: string): string {
  switch (key) {
    case "mac":
    case "host_mac":
      return canonicalMac(text);
    case "ip":
    case "mask":
      return canonicalAddress(text);
    case "path":
      return text.startsWith("/sys/bus/pci/devices/") ? (pciAddress(text) ?? normalPath(text)) : normalPath(text);
    case "file":
    case "socket":
    case "vhost_socket":
    case "kernel":
    case "initramfs":
    case "firmware":
      return normalPath(text);
    default:
      return text;
  }
}
