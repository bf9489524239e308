/** Disk → QEMU's block node (`-blockdev`, or `blockdev-add` over QMP) and the device in front of it. Pure. */
import { OdoroboError } from "../../../model/errors.ts";
import { parseDiskUrl } from "../../../model/identity/disk-url.ts";
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

/** The kinds that `capabilities.diskKinds` names. */
function externalNode(name: string, url: string): BlockNode {
  const place = parseDiskUrl(url);
  switch (place.kind) {
    case "file":
      return fileNode(place.path);
    case "nbd": {
      const { host, port } = place;
      return nbdNode({ type: "inet", host, port: `${port}` }, place.name);
    }
    case "nbd+unix":
      return nbdNode({ type: "unix", path: place.socket }, place.name);
    case "rbd": {
      const { pool, namespace, image, snapshot } = place;
      const rest = { ...(namespace === null ? {} : { namespace }), ...(snapshot === null ? {} : { snapshot }) };
      return { driver: "raw", file: { driver: "rbd", pool, image, ...rest } };
    }
    case "iscsi": {
      const { host, port, target, lun } = place;
      const portal = `${host.includes(":") ? `[${host}]` : host}:${port}`;
      return { driver: "raw", file: { driver: "iscsi", transport: "tcp", portal, target, lun } };
    }
    case "problem":
      throw new OdoroboError("UNSUPPORTED", `QEMU cannot open disk ${name}: ${url} ${place.message}`, {
        hint: place.hint,
      });
  }
}

/** Nothing that a header of somebody else's image names is opened: the agent refuses such an image, and so does QEMU. */
function fileNode(path: string): BlockNode {
  if (path.startsWith("/dev/")) return { driver: "raw", file: { driver: "host_device", filename: path } };
  const file = { driver: "file", filename: path };
  return path.endsWith(".qcow2") ? { driver: "qcow2", backing: null, file } : { driver: "raw", file };
}

/**
 * A server that is gone is waited for, as one is that restarts, and what the guest asked meanwhile is asked again. Not for ever: QEMU
 * stands still itself when it must wait for what is under way, to detach a disk or to end. After that the guest is told of
 * errors, and QEMU goes on trying. 0 would be: errors from the first moment on, and no second try.
 */
const NBD_PATIENCE_S = 30;

const nbdNode = (server: Readonly<Record<string, string>>, name: string): BlockNode => ({
  driver: "raw",
  file: { driver: "nbd", server, ...(name === "" ? {} : { export: name }), "reconnect-delay": NBD_PATIENCE_S },
});
