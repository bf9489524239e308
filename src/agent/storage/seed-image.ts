/**
 * The cloud-init seed of a VM: a NoCloud image, which every cloud-init finds by its label.
 *
 * Texts that may hold secrets end here: in a file that only the agent's user can read, never in an argument list.
 */
import { readFile } from "node:fs/promises";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import type { Digest } from "../../model/names.ts";
import type { VmSpec } from "../../model/vm-spec.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";
import { makeFolders } from "../../platform/make-folders.ts";
import { seedImageFile, type VmPaths } from "../launch-command.ts";
import { storageError } from "../storage-error.ts";
import { isoImage } from "./iso9660.ts";

export interface SeedInput {
  readonly name: string;
  readonly spec: VmSpec;
  readonly paths: VmPaths;
  /** Contents by digest. */
  readonly files: ReadonlyMap<Digest, string>;
  /** What cloud-init tells an instance by that it has set up already. Left out: the VM's name. */
  readonly instanceId?: string;
}

/** Writes the seed image if the spec has cloudInit. Before each boot: it is small, and then it is never stale. */
export async function writeSeedImage(vm: SeedInput): Promise<void> {
  const files = seedFiles(vm);
  if (files === null) return;
  const path = seedImageFile(vm.paths);
  try {
    await makeFolders(vm.paths.diskFolder);
    await writeFileAtomically(path, isoImage("CIDATA", files));
  } catch (error) {
    throw storageError(`could not write the cloud-init image ${path}`, error, "may the agent write there?");
  }
}

/** The files of the image by name, or null when the spec has no cloudInit. Pure. */
export function seedFiles({
  name,
  spec,
  files,
  instanceId = name,
}: SeedInput): Readonly<Record<string, string>> | null {
  const { cloudInit } = spec;
  if (cloudInit === null) return null;
  const text = (digest: Digest, what: string): string => {
    const found = files.get(digest);
    if (found !== undefined) return found;
    throw new OdoroboError("STORAGE_FAILED", `the ${what} of ${name} is not on this node`, {
      hint: "apply again: it is sent along with the spec",
    });
  };
  const network =
    cloudInit.networkConfig === null ? addressing(spec) : text(cloudInit.networkConfig, "cloud-init networkConfig");
  return {
    "user-data": cloudInit.userData === null ? "#cloud-config\n{}\n" : text(cloudInit.userData, "cloud-init userData"),
    "meta-data": json({
      ...(cloudInit.metaData === undefined ? {} : (JSON.parse(text(cloudInit.metaData, "metaData")) as object)),
      // Another id makes cloud-init begin anew, host keys and all (ADR 0020): only where the manifest says so.
      "instance-id": cloudInit.instance === undefined ? instanceId : `${instanceId}-${cloudInit.instance}`,
      "local-hostname": name,
      "public-keys": cloudInit.sshKeys,
    }),
    ...(network === null ? {} : { "network-config": network }),
    ...(cloudInit.vendorData === undefined
      ? {}
      : { "vendor-data": text(cloudInit.vendorData, "cloud-init vendorData") }),
  };
}

/**
 * The id in the image of an agent that wrote it nowhere else; null when there is no image, or none of such an agent. Not looked
 * for in the user's own texts: it is known by what stands beside it.
 */
export async function readInstanceId(path: string, name: string): Promise<string | null> {
  let image: Buffer;
  try {
    image = await readFile(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return null;
    throw new OdoroboError("STORAGE_FAILED", `could not read the cloud-init image ${path}`, {
      cause: error,
      hint: "its id must stay what it is, or the guest would set itself up anew: may the agent read it?",
    });
  }
  const metaData = new RegExp(`\\{"instance-id":"(${name}-[0-9a-f]{12})","local-hostname":"${name}","public-keys":`);
  return metaData.exec(image.toString("latin1"))?.[1] ?? null;
}

/**
 * Version 2 network configuration: NICs with an address get it, the others ask DHCP. Null: no NIC has one, cloud-init's own default is right.
 * In the words that netplan, networkd, ifupdown and NetworkManager all take: never `default` for a route, of which all but netplan make no
 * network at all, and MAC addresses in lower case.
 */
function addressing({ nics }: VmSpec): string | null {
  if (nics.every((nic) => nic.address === null)) return null;
  const ethernets = nics.map(({ name, mac, address, config = {} }) => {
    const { gateway, dns = [], domain, routes = [], mtu } = config;
    const ways = [
      ...(gateway === undefined || address === null
        ? []
        : [{ to: gateway.includes(":") ? "::/0" : "0.0.0.0/0", via: gateway }]),
      ...routes.map(({ to, via }) => ({ to, via })),
    ];
    const names = {
      ...(dns.length === 0 ? {} : { addresses: dns }),
      ...(domain === undefined ? {} : { search: [domain] }),
    };
    return [
      name,
      {
        match: { macaddress: mac },
        ...(address === null ? { dhcp4: true } : { addresses: [address] }),
        ...(ways.length === 0 ? {} : { routes: ways }),
        ...(address === null || Object.keys(names).length === 0 ? {} : { nameservers: names }),
        ...(mtu === undefined ? {} : { mtu }),
      },
    ];
  });
  return json({ version: 2, ethernets: Object.fromEntries(ethernets) });
}

/** JSON is YAML. */
const json = (value: unknown): string => `${JSON.stringify(value)}\n`;
