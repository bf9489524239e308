/** Disk → QEMU's block node (`-blockdev`, or `blockdev-add` over QMP) and the device in front of it. Pure. */
import { DISK_SOURCE_FORMS, parseDiskSource } from "../../../model/disk-source.ts";
import { OdoroboError } from "../../../model/errors.ts";
import type { Disk } from "../../../model/vm-spec.ts";
import { ownDiskFile, type VmPaths } from "../../launch-command.ts";
import { diskId, diskSerial } from "./device-ids.ts";
import type { Properties } from "./option-text.ts";

export type BlockNode = Readonly<Record<string, unknown>>;

/** Formats are always named, never probed: a guest that writes a qcow2 header into its raw disk must not reach other files. */
export function blockNode(disk: Disk, paths: VmPaths): BlockNode {
  const common = {
    "node-name": diskId(disk.name),
    "read-only": disk.readonly,
    ...(disk.readonly ? {} : { discard: "unmap" }),
  };
  if (disk.origin.kind === "external") return { ...externalNode(disk.name, disk.origin.url), ...common };
  const driver = disk.origin.kind === "image" ? "qcow2" : "raw";
  return { driver, file: { driver: "file", filename: ownDiskFile(paths, disk) }, ...common };
}

export const readOnlyFileNode = (nodeName: string, filename: string): BlockNode => ({
  driver: "raw",
  file: { driver: "file", filename },
  "node-name": nodeName,
  "read-only": true,
});

export const diskDevice = (disk: Disk): Properties => ({
  id: diskId(disk.name),
  drive: diskId(disk.name),
  serial: diskSerial(disk.name),
});

function externalNode(name: string, text: string): BlockNode {
  const source = parseDiskSource(text);
  switch (source?.kind) {
    case "file":
      return fileNode(source.path);
    case "nbd":
      return nbdNode({ type: "inet", host: source.host, port: source.port }, source.exportName);
    case "nbd+unix":
      return nbdNode({ type: "unix", path: source.socket }, source.exportName);
    case "rbd":
      return { driver: "raw", file: { driver: "rbd", pool: source.pool, image: source.image } };
    case "iscsi": {
      const { portal, target, lun } = source;
      return { driver: "raw", file: { driver: "iscsi", transport: "tcp", portal, target, lun } };
    }
    case undefined:
      throw new OdoroboError("UNSUPPORTED", `QEMU cannot open disk ${name}: ${text}`, { hint: DISK_SOURCE_FORMS });
  }
}

function fileNode(path: string): BlockNode {
  if (path.startsWith("/dev/")) return { driver: "raw", file: { driver: "host_device", filename: path } };
  return { driver: path.endsWith(".qcow2") ? "qcow2" : "raw", file: { driver: "file", filename: path } };
}

const nbdNode = (server: Readonly<Record<string, string>>, exportName: string | null): BlockNode => ({
  driver: "raw",
  file: { driver: "nbd", server, ...(exportName === null ? {} : { export: exportName }) },
});
