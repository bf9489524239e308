/** Disk → QEMU's block node (`-blockdev`, or `blockdev-add` over QMP) and the device in front of it. Pure. */
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

/** The scheme of an external disk's URL, as `capabilities.diskKinds` names it. */
function externalNode(name: string, text: string): BlockNode {
  const url = URL.canParse(text) ? new URL(text) : null;
  const path = url === null ? "" : decodeURIComponent(url.pathname);
  const parts = path.split("/").filter((part) => part !== "");
  switch (url?.protocol) {
    case "file:":
      if (url.host === "" && path.startsWith("/")) return fileNode(path);
      break;
    case "nbd:":
      if (url.hostname !== "" && parts.length <= 1) return nbdNode(inetServer(url), parts[0]);
      break;
    case "nbd+unix:": {
      // nbd+unix:///EXPORT?socket=PATH, as in NBD's own URI specification.
      const socket = url.searchParams.get("socket");
      if (socket?.startsWith("/") && parts.length <= 1) return nbdNode({ type: "unix", path: socket }, parts[0]);
      break;
    }
    case "rbd:": {
      // rbd://POOL/IMAGE: the pool stands where other URLs have the host.
      const [image, ...more] = parts;
      if (url.host !== "" && image !== undefined && more.length === 0)
        return { driver: "raw", file: { driver: "rbd", pool: decodeURIComponent(url.host), image } };
      break;
    }
    case "iscsi:": {
      const [target, lun, ...more] = parts;
      if (url.host !== "" && target !== undefined && /^\d+$/.test(lun ?? "0") && more.length === 0)
        return {
          driver: "raw",
          file: { driver: "iscsi", transport: "tcp", portal: url.host, target, lun: Number(lun ?? "0") },
        };
      break;
    }
  }
  throw new OdoroboError("UNSUPPORTED", `QEMU cannot open disk ${name}: ${text}`, {
    hint: "give file:///PATH, nbd://HOST[:PORT]/EXPORT, rbd://POOL/IMAGE or iscsi://HOST[:PORT]/TARGET/LUN",
  });
}

function fileNode(path: string): BlockNode {
  if (path.startsWith("/dev/")) return { driver: "raw", file: { driver: "host_device", filename: path } };
  return { driver: path.endsWith(".qcow2") ? "qcow2" : "raw", file: { driver: "file", filename: path } };
}

/** 10809 is the port that IANA gave to NBD. */
const inetServer = (url: URL) => ({
  type: "inet",
  host: url.hostname.replace(/^\[|\]$/g, ""),
  port: url.port === "" ? "10809" : url.port,
});

const nbdNode = (server: Readonly<Record<string, string>>, exportName: string | undefined): BlockNode => ({
  driver: "raw",
  file: { driver: "nbd", server, ...(exportName === undefined ? {} : { export: exportName }) },
});
