/** `<disk>` → disks of somebody else's bytes: odorobo never creates, resizes or deletes what was there before it. */
import { canonicalDiskUrl, fileUrl } from "../../model/identity/disk-url.ts";
import type { FoundSpec } from "../found.ts";
import type { XmlElement } from "../xml/element.ts";
import type { DomainReading } from "./domain-reading.ts";

type FoundDisk = NonNullable<FoundSpec["disks"]>[number];

/** In the order in which firmware would try them; the first is what it boots. */
export function readDisks(reading: DomainReading): readonly FoundDisk[] {
  const found = reading.devices("disk").flatMap((disk, index) => {
    const read = readDisk(reading, disk);
    return read === null ? [] : [{ read, order: bootOrder(reading, disk), index }];
  });
  const sorted = found.toSorted((a, b) => a.order - b.order || a.index - b.index);
  return sorted.map(({ read }) => read);
}

/** Those that name none come behind those that do. */
function bootOrder({ xml }: DomainReading, disk: XmlElement): number {
  const order = xml.attribute(xml.child(disk, "boot"), "order");
  return order !== undefined && /^\d+$/.test(order) ? Number(order) : Number.MAX_SAFE_INTEGER;
}

function readDisk(reading: DomainReading, disk: XmlElement): FoundDisk | null {
  const { xml } = reading;
  const type = xml.attribute(disk, "type") ?? "file";
  const device = xml.attribute(disk, "device") ?? "disk";
  const target = xml.child(disk, "target");
  const name = xml.attribute(target, "dev") ?? "disk";
  const source = xml.child(disk, "source");
  const label = `disk ${name}`;
  const lose = (says: string): null => {
    reading.note("lost", disk, label, says);
    xml.takeWhole(disk);
    return null;
  };
  if (device === "floppy") return lose("a floppy drive is not there any more");
  const url = source === undefined ? null : urlOf(reading, type, source);
  if (device === "cdrom" && (source === undefined || url === null)) {
    // An empty drive holds nothing that could be missed.
    xml.takeWhole(disk);
    return null;
  }
  if (device === "cdrom" && /seed|cidata|cloud-?init|nocloud/i.test(url ?? ""))
    return lose(
      "it looks like cloud-init's media: write what is on it as cloudInit, or the guest keeps what it once was told",
    );
  if (device === "lun")
    reading.note("changed", disk, label, "SCSI commands of the guest do not reach the device any more");
  if (url === null) return lose(`a disk of type ${type} cannot be said: name its file or device yourself`);
  const format = readDriver(reading, disk, label);
  warnOfFormat(reading, disk, { label, url, format });
  warnOfBus(reading, target, label);
  warnOfOverlay(reading, disk, label);
  for (const harmless of ["model", "snapshot", "rawio", "sgio"]) xml.attribute(disk, harmless);
  const isReadOnly = xml.child(disk, "readonly") !== undefined || device === "cdrom";
  const readonly = xml.child(disk, "readonly");
  if (readonly !== undefined) xml.take(readonly);
  return { name, source: url, ...(isReadOnly ? { readonly: true as const } : {}) };
}

function urlOf(reading: DomainReading, type: string, source: XmlElement): string | null {
  const { xml } = reading;
  for (const harmless of ["index", "startupPolicy"]) xml.attribute(source, harmless);
  const file = xml.attribute(source, "file");
  const dev = xml.attribute(source, "dev");
  if (type === "file")
    return file?.startsWith("/") ? fileUrl(file) : file === undefined ? null : relative(reading, source, file);
  if (type === "block") return dev?.startsWith("/") ? fileUrl(dev) : null;
  const url = type === "network" ? networkUrl(reading, source) : null;
  return url === null ? null : canonicalDiskUrl(url);
}

/** The path that libvirt's driver took as it stood; where it leads is for a person to say. */
function relative(reading: DomainReading, source: XmlElement, file: string): string {
  reading.note(
    "check",
    source,
    `source file='${file}'`,
    "it is no absolute path: it is written as if it were in /var/lib/libvirt/images",
  );
  return fileUrl(`/var/lib/libvirt/images/${file}`);
}

function networkUrl({ xml }: DomainReading, source: XmlElement): string | null {
  const protocol = xml.attribute(source, "protocol");
  const name = xml.attribute(source, "name") ?? "";
  const [host, ...more] = xml.all(source, "host");
  const server = xml.attribute(host, "name");
  const port = xml.attribute(host, "port");
  const transport = xml.attribute(host, "transport") ?? "tcp";
  const socket = xml.attribute(host, "socket");
  const authority =
    server === undefined ? null : `${server.includes(":") ? `[${server}]` : server}${port ? `:${port}` : ""}`;
  const path = name.split("/").map(encodeURIComponent).join("/");
  switch (protocol) {
    case "nbd":
      if (transport === "unix" && socket !== undefined)
        return `nbd+unix:///${encodeURIComponent(name)}?socket=${socket}`;
      return authority === null || more.length > 0 ? null : `nbd://${authority}/${encodeURIComponent(name)}`;
    case "iscsi":
      return authority === null ? null : `iscsi://${authority}/${path}`;
    case "rbd": {
      // Monitors and keys are in the node's own ceph.conf.
      for (const each of [host, ...more]) if (each !== undefined) xml.takeWhole(each);
      return `rbd://${path}`;
    }
    default:
      return null;
  }
}

function readDriver(reading: DomainReading, disk: XmlElement, label: string): string | undefined {
  const { xml } = reading;
  const driver = xml.child(disk, "driver");
  if (driver === undefined) return undefined;
  // What the agent's own settings are, or what makes no difference to the guest's bytes.
  for (const ours of [
    "name",
    "discard",
    "detect_zeroes",
    "io",
    "queues",
    "iothread",
    "copy_on_read",
    "discard_no_unref",
  ])
    xml.attribute(driver, ours);
  const cache = xml.attribute(driver, "cache");
  if (cache !== undefined && !["none", "default", "writeback"].includes(cache))
    reading.note(
      "changed",
      driver,
      `${label}: cache='${cache}'`,
      "it is opened with writeback: what the guest flushes is safe, and nothing else",
    );
  return xml.attribute(driver, "type");
}

/** Files are opened by their ending: .qcow2, and raw whatever else they are called. */
function warnOfFormat(
  reading: DomainReading,
  disk: XmlElement,
  { label, url, format }: { readonly label: string; readonly url: string; readonly format: string | undefined },
): void {
  const opened = url.endsWith(".qcow2") ? "qcow2" : "raw";
  if (format === undefined || format === opened) return;
  const says =
    format === "qcow2"
      ? "a qcow2 is known by its ending: rename the file to end in .qcow2 while the guest is off, and the source here with it"
      : `it is ${format}, and would be opened as ${opened}: convert it with qemu-img convert while the guest is off`;
  reading.note("check", disk, `${label}: type='${format}'`, says);
}

function warnOfBus(reading: DomainReading, target: XmlElement | undefined, label: string): void {
  const { xml } = reading;
  const bus = xml.attribute(target, "bus");
  for (const harmless of ["tray", "removable", "rotation_rate"]) xml.attribute(target, harmless);
  if (target === undefined || bus === undefined || bus === "virtio") return;
  const says =
    "the guest sees a virtio disk: it needs the driver, and another name may be in its fstab (UUIDs are as before)";
  reading.note("changed", target, `${label}: bus='${bus}'`, says);
}

function warnOfOverlay(reading: DomainReading, disk: XmlElement, label: string): void {
  const { xml } = reading;
  const below = xml.child(disk, "backingStore");
  if (below === undefined) return;
  const isOverlay = below.children.some(({ name }) => name === "source");
  xml.takeWhole(below);
  if (!isOverlay) return;
  const says =
    "an image that names others is not opened: make it whole while the guest is off, with qemu-img rebase -b ''";
  reading.note("check", below, `${label}: it lies over another image`, says);
}
