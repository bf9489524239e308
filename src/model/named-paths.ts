/** The files, devices and sockets of the host that a `cloudHypervisor:` section names and the process opens at its start. Pure. */
export interface NamedPath {
  /** Of the section: `fs`, `pmem`. */
  readonly key: string;
  /** For people: `the socket of fs share`. */
  readonly what: string;
  readonly path: string;
  /**
   * - file: it is read; disk: a file or block device that is written unless `readonly`; socket: somebody else listens on it.
   * - node: a device or a folder, of which can be said only whether it is there.
   */
  readonly kind: "file" | "disk" | "socket" | "node";
  readonly readonly: boolean;
}

interface Row {
  readonly key: string;
  readonly field: string;
  readonly kind: NamedPath["kind"];
  readonly noun: string;
  /** Names what the process makes itself, or does not write. */
  readonly unless?: (item: Readonly<Record<string, unknown>>) => boolean;
  readonly isReadonly?: (item: Readonly<Record<string, unknown>>) => boolean;
}

/** What it makes itself is not here: the socket of `vsock`, the files and sockets of serial lines, memory that lies in a file. */
const ROWS: readonly Row[] = [
  { key: "payload", field: "firmware", kind: "file", noun: "the firmware" },
  { key: "payload", field: "kernel", kind: "file", noun: "the kernel" },
  { key: "payload", field: "initramfs", kind: "file", noun: "the initramfs" },
  { key: "payload", field: "igvm", kind: "file", noun: "the IGVM file" },
  { key: "disks", field: "path", kind: "disk", noun: "the file", isReadonly: (item) => item.readonly === true },
  { key: "disks", field: "vhost_socket", kind: "socket", noun: "the socket" },
  // As a server it makes the socket.
  {
    key: "net",
    field: "vhost_socket",
    kind: "socket",
    noun: "the socket",
    unless: (item) => item.vhost_mode === "Server",
  },
  { key: "fs", field: "socket", kind: "socket", noun: "the socket" },
  { key: "generic_vhost_user", field: "socket", kind: "socket", noun: "the socket" },
  { key: "user_devices", field: "socket", kind: "socket", noun: "the socket" },
  { key: "tpm", field: "socket", kind: "socket", noun: "the socket" },
  // A folder may stand there, for a file of the process's own.
  { key: "pmem", field: "file", kind: "node", noun: "the file" },
  { key: "vdpa", field: "path", kind: "node", noun: "the device" },
  { key: "devices", field: "path", kind: "node", noun: "the device" },
  { key: "rng", field: "src", kind: "node", noun: "the source" },
];

/** Absolute ones; in the order of the table. Whatever is of another shape than it should be names none. */
export function namedPaths(section: Readonly<Record<string, unknown>>): NamedPath[] {
  return ROWS.flatMap(({ key, field, kind, noun, unless, isReadonly }) => {
    const value = section[key];
    const items = (Array.isArray(value) ? value : [value]).filter(isRecord);
    return items.flatMap((item): NamedPath[] => {
      const path = item[field];
      if (typeof path !== "string" || !path.startsWith("/") || path.length > MAX_PATH || unless?.(item)) return [];
      const name = [item.id, item.tag].find((each) => typeof each === "string");
      const what = `${noun} of ${name === undefined ? key : `${key} ${name}`}`;
      return [{ key, what, path, kind, readonly: isReadonly?.(item) ?? false }];
    });
  });
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** PATH_MAX, without the byte that ends it. */
const MAX_PATH = 4095;
