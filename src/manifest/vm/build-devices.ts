/** Disks and network cards: references resolved to what agents need to know. */

import type { NicManifest } from "../../model/documents.ts";
import { parseDiskUrl } from "../../model/identity/disk-url.ts";
import { canonicalAddress, canonicalMac } from "../../model/identity/net-address.ts";
import { remotePath } from "../../model/remote-image.ts";
import type { Disk, DiskOrigin, Nic } from "../../model/vm-spec.ts";
import type { ReportField } from "../text/source-document.ts";
import { buildForwards } from "./build-forwards.ts";
import { type Catalog, DEFAULT_NETWORK } from "./catalog.ts";
import { formatOf, remoteOf } from "./image-source.ts";
import { isAddressWithPrefix, notAHost } from "./ip-address.ts";
import type { DiskValues } from "./layer.ts";
import { surroundingsOf } from "./networks/build-networks.ts";
import { checkNic } from "./networks/check-nic.ts";

export function buildDisks(disks: readonly DiskValues[], catalog: Catalog, report: ReportField): Disk[] {
  const built: Disk[] = [];
  for (const disk of disks) {
    const origin = originOf(disk, catalog, report);
    if (origin !== null) built.push({ name: disk.name, origin, readonly: disk.readonly ?? false });
  }
  return built;
}

/** Null when it cannot be said; why is reported here or where the reference was checked. */
function originOf({ name, image, size, source }: DiskValues, catalog: Catalog, report: ReportField): DiskOrigin | null {
  if (source) {
    for (const [field, value] of [
      ["image", image],
      ["size", size],
    ] as const)
      if (value)
        report(["disks", name, field], {
          code: "conflicting-fields",
          message: `disk ${name} has both source and ${field}`,
          hint: `a source is someone else's disk, as it is: remove one of them (${field}: null takes away what a profile says)`,
        });
    const place = parseDiskUrl(source);
    if (hasUserInfo(source))
      report(["disks", name, "source"], {
        code: "bad-value",
        message: `the source of disk ${name} has a name or password in it, and plans, logs and process lists would show it`,
        hint: "give the host alone, and the credentials to the node: for iSCSI and Ceph in their own configuration",
      });
    else if (place.kind === "problem")
      report(["disks", name, "source"], {
        code: "bad-value",
        message: `the source of disk ${name} ${place.message}`,
        hint: place.hint,
      });
    return { kind: "external", url: source };
  }
  if (!size) {
    report(["disks", name], {
      code: "missing-field",
      message: image ? `disk ${name} has no size` : `disk ${name} says neither image, size nor source`,
      hint: image ? "add its size: at least the image's" : "a size alone makes a blank disk",
    });
    return null;
  }
  if (!image) return { kind: "blank", sizeMiB: size };
  const spec = catalog.get("Image", image)?.content.spec;
  if (spec === undefined) return null;
  if (spec.path === undefined) {
    const remote = remoteOf(spec);
    // On the node it is kept as raw bytes, whatever it came as.
    return remote && { kind: "image", image, path: remotePath(image), format: "raw", sizeMiB: size, remote };
  }
  const format = formatOf(spec);
  return format ? { kind: "image", image, path: spec.path, format, sizeMiB: size } : null;
}

/** `iscsi://user%password@host/…`: what stands before the host. An `@` in a path (`rbd://pool/image@snapshot`) is none. */
export const hasUserInfo = (line: string): boolean => /:\/\/[^/\s"']*@/.test(line);

export function buildNics(nics: readonly NicManifest[], catalog: Catalog, report: ReportField): Nic[] {
  const taken = new Map<string, string>();
  return nics.map((nic) => {
    const { name, network, mac, address, forwards } = nic;
    if (address && !isAddressWithPrefix(address))
      report(["nics", name, "address"], {
        code: "bad-value",
        message: `${address} is not an address with a prefix length`,
        hint: "such as 10.0.0.11/24",
      });
    else if (address && notAHost(address) !== null)
      report(["nics", name, "address"], {
        code: "bad-value",
        message: `${address} is the ${notAHost(address) === "network" ? "network's own" : "network's broadcast"} address, and no host's`,
        hint: "give the NIC one of the addresses in the network, with the same prefix length",
      });
    else checkNic(nic, catalog, report);
    const { attachment, ...surroundings } = surroundingsOf(network ?? DEFAULT_NETWORK, nic, catalog);
    const type = catalog.get("Network", network ?? DEFAULT_NETWORK)?.content.spec.type ?? "user";
    const written = forwards ?? catalog.get("Network", network ?? DEFAULT_NETWORK)?.content.spec.forwards ?? [];
    const built = buildForwards(written, { nic: name, type, taken, report });
    return {
      name,
      network: network ?? DEFAULT_NETWORK,
      attachment,
      mac: mac ? canonicalMac(mac) : "",
      address: address ? canonicalAddress(address) : null,
      // Not spelled out where there is none: agents of before refuse what they do not know.
      ...(built.length === 0 ? {} : { forwards: built }),
      ...surroundings,
    };
  });
}
