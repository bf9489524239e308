/** Devices after a flag, as lists of `key=value`: `name=data,source=file:///srv/data.raw,readonly`. */

import { OdoroboError } from "../../model/errors.ts";
import { deriveMac } from "../../model/identity/derive-mac.ts";
import { canonicalMac } from "../../model/identity/net-address.ts";
import { isDnsLabel } from "../../model/names.ts";
import type { VmReport } from "../../model/observed-state.ts";
import type { Disk, DiskOrigin, Nic, NicAttachment } from "../../model/vm-spec.ts";
import { parseMiB } from "./parse-quantity.ts";

export const DISK_EXAMPLE = "name=data,source=file:///srv/data.raw";
export const NIC_EXAMPLE = "name=eth1,bridge=br0";

const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;

/** Throws USAGE. */
export function parseDisk(text: string): Disk {
  const given = parsePairs(text, "--disk", ["name", "source", "size", "readonly"], DISK_EXAMPLE);
  return { name: deviceName(given, "--disk", DISK_EXAMPLE), origin: toOrigin(given), readonly: given.has("readonly") };
}

function toOrigin(given: ReadonlyMap<string, string>): DiskOrigin {
  const [source, size] = [given.get("source"), given.get("size")];
  if (source !== undefined && size === undefined && /^[a-z+]+:\/\/./i.test(source))
    return { kind: "external", url: source };
  if (size !== undefined && source === undefined) return { kind: "blank", sizeMiB: parseMiB(size, "--disk size") };
  throw new OdoroboError("USAGE", "--disk needs one of source=URL (somebody's disk) and size=SIZE (a new, empty one)", {
    hint: `such as ${DISK_EXAMPLE} or name=scratch,size=10GiB`,
  });
}

/** A MAC that is not given is derived as manifests do it, so that the same NIC in a manifest is the same NIC. Throws USAGE. */
export function parseNic(text: string, vm: Pick<VmReport, "name" | "fleet" | "spec">): Nic {
  const given = parsePairs(text, "--nic", ["name", "bridge", "user", "mac", "network"], NIC_EXAMPLE);
  const name = deviceName(given, "--nic", NIC_EXAMPLE);
  const attachment = toAttachment(given);
  const written = given.get("mac");
  const mac = written === undefined ? undefined : canonicalMac(written);
  if (mac !== undefined && !MAC.test(mac))
    throw new OdoroboError("USAGE", `--nic: ${JSON.stringify(mac)} is not a MAC address`, {
      hint: "six bytes in hex, such as 02:00:00:00:00:01",
    });
  return {
    name,
    network: given.get("network") ?? (attachment.kind === "bridge" ? attachment.bridge : attachment.kind),
    attachment,
    mac: mac ?? freeMac(vm, name),
    address: null,
  };
}

function toAttachment(given: ReadonlyMap<string, string>): NicAttachment {
  const bridge = given.get("bridge");
  if (bridge !== undefined && bridge !== "" && !given.has("user")) return { kind: "bridge", bridge };
  if (bridge === undefined && given.has("user")) return { kind: "user" };
  throw new OdoroboError("USAGE", "--nic needs one of bridge=NAME (of the node) and user (NAT inside the hypervisor)", {
    hint: `such as ${NIC_EXAMPLE}`,
  });
}

function freeMac({ fleet, name: vm, spec }: Pick<VmReport, "name" | "fleet" | "spec">, nic: string): string {
  const taken = new Set(spec.nics.map((each) => each.mac));
  for (let attempt = 0; ; attempt++) {
    const mac = deriveMac(fleet ?? "", vm, nic, attempt);
    if (!taken.has(mac)) return mac;
  }
}

function parsePairs(text: string, flag: string, known: readonly string[], example: string): Map<string, string> {
  const given = new Map<string, string>();
  for (const part of text.split(",")) {
    const [key, ...rest] = part.split("=");
    const name = (key as string).trim();
    if (!known.includes(name))
      throw new OdoroboError("USAGE", `${flag}: ${JSON.stringify(name)} is not one of ${known.join(", ")}`, {
        hint: `such as ${example}`,
      });
    if (given.has(name)) throw new OdoroboError("USAGE", `${flag}: ${name} is given twice`);
    given.set(name, rest.join("=").trim());
  }
  return given;
}

function deviceName(given: ReadonlyMap<string, string>, flag: string, example: string): string {
  const name = given.get("name");
  if (name !== undefined && isDnsLabel(name)) return name;
  throw new OdoroboError("USAGE", `${flag} needs name=NAME, in lower-case letters, digits and dashes`, {
    hint: `such as ${example}`,
  });
}
