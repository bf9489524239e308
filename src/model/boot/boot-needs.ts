/**
 * What a guest needs of its node's files and bridges, as questions to its agent: the plan asks them before anything is begun, the agent asks
 * itself again before a guest is stopped. Pure.
 *
 *   [boot-needs.ts] → reconcile/look-ahead.ts (plan), agent/lifecycle/acts/look-ahead.ts (boot, reboot)
 */

import { canonicalJson } from "../digest.ts";
import { filePath } from "../identity/disk-url.ts";
import { namedPaths } from "../named-paths.ts";
import { type RemoteImage, remoteKey } from "../remote-image.ts";
import type { ImageFormat, MadeNetwork, VmSpec } from "../vm-spec.ts";

export type LookQuestion =
  /** A file that can be read: kernel, initramfs, firmware. */
  | { readonly kind: "file"; readonly path: string }
  /** An image that is what it is said to be and stands alone. */
  | { readonly kind: "image"; readonly image: string; readonly path: string; readonly format: ImageFormat }
  /** A file or block device that a guest is given as it is. */
  | { readonly kind: "disk"; readonly path: string; readonly readonly: boolean }
  /** An image that the node has in its cache, or can fetch. */
  | { readonly kind: "fetch"; readonly image: string; readonly remote: RemoteImage }
  | { readonly kind: "bridge"; readonly name: string }
  | NetworkQuestion
  /** Something that is there: a device, a folder; a socket, if `socket`. */
  | { readonly kind: "node"; readonly path: string; readonly socket: boolean };

/** A network that its agent would have to make, or keep rules of. */
export interface NetworkQuestion {
  readonly kind: "network";
  readonly network: string;
  readonly bridge: string;
  /** Null: the bridge is the node's own. */
  readonly made: MadeNetwork | null;
}

export type LookAnswer =
  | { readonly found: true; readonly sizeMiB?: number; readonly image?: ImageAnswer }
  /** For people: what is wrong with it, with its name in it. */
  | { readonly found: false; readonly problem: string };

/** Of an image that a node fetches. */
export interface ImageAnswer {
  /** `sha256:…` of the file as it is fetched: what a disk would be made over now. */
  readonly digest: string;
  readonly present: boolean;
  /** To fetch; null: nobody says. */
  readonly bytes: number | null;
  /** For a guest; null: known when it is there. */
  readonly virtualBytes: number | null;
  /** As fast as the last one came; null: none has. */
  readonly bytesPerSecond: number | null;
}

/** What one node answered, by `questionKey`. What is not in it is unknown. */
export type Looks = Readonly<Record<string, LookAnswer>>;

export interface Need {
  readonly question: LookQuestion;
  /** `its kernel`, `disk data`. */
  readonly what: string;
  /** The field of the spec that needs it: `disks.data`, `passthrough.fs`; null: every boot does. */
  readonly path: string | null;
}

export const fetchKey = (remote: RemoteImage): string => `fetch ${remoteKey(remote)}`;

export const questionKey = (question: LookQuestion): string =>
  question.kind === "network"
    ? `network ${question.bridge} ${canonicalJson(question.made)}`
    : question.kind === "bridge"
      ? `bridge ${question.name}`
      : question.kind === "fetch"
        ? fetchKey(question.remote)
        : question.kind === "image"
          ? `image ${question.format} ${question.path}`
          : question.kind === "disk"
            ? `disk ${question.readonly ? "r" : "rw"} ${question.path}`
            : question.kind === "node"
              ? `${question.socket ? "socket" : "node"} ${question.path}`
              : `file ${question.path}`;

/** Of a hypervisor that opens what it is given. Names that are no paths (`builtin:tiny`, a firmware's name) are the hypervisor's to find. */
export function bootNeeds({ hypervisor, boot, disks, nics, passthrough }: VmSpec): Need[] {
  const needs: Need[] = [];
  const file = (path: string, what: string) => {
    if (path.startsWith("/")) needs.push({ question: { kind: "file", path }, what, path: null });
  };
  if (boot.kind === "firmware") file(boot.firmware, "its firmware");
  else {
    file(boot.kernel, "its kernel");
    if (boot.initramfs !== null) file(boot.initramfs, "its initramfs");
  }
  for (const { name, origin, readonly } of disks) {
    const path = `disks.${name}`;
    if (origin.kind === "image") {
      const { image, path: file, format, remote } = origin;
      if (remote !== undefined) {
        needs.push({ question: { kind: "fetch", image, remote }, what: `the image of disk ${name}`, path });
        continue;
      }
      needs.push({ question: { kind: "image", image, path: file, format }, what: `the image of disk ${name}`, path });
    }
    const source = origin.kind === "external" ? filePath(origin.url) : null;
    if (source !== null) needs.push({ question: { kind: "disk", path: source, readonly }, what: `disk ${name}`, path });
  }
  for (const { name, network, attachment, made = null, rules } of nics) {
    if (attachment.kind !== "bridge") continue;
    const { bridge } = attachment;
    if (made !== null || rules !== undefined)
      needs.push({
        question: { kind: "network", network, bridge, made },
        what: `network ${network}`,
        path: `nics.${name}`,
      });
    if (made === null)
      needs.push({
        question: { kind: "bridge", name: attachment.bridge },
        what: `the bridge of NIC ${name}`,
        path: `nics.${name}`,
      });
  }
  if (hypervisor === "cloud-hypervisor")
    for (const { key, what, path, kind, readonly } of namedPaths(passthrough)) {
      const question: LookQuestion =
        kind === "file"
          ? { kind, path }
          : kind === "disk"
            ? { kind, path, readonly }
            : { kind: "node", path, socket: kind === "socket" };
      needs.push({ question, what, path: `passthrough.${key}` });
    }
  return needs;
}
