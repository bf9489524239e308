/** Disks and devices that two guests would have, however they are spelt: two that write to one disk destroy it. */

import { canonicalDiskUrl } from "../../model/identity/disk-url.ts";
import { pciAddress } from "../../model/identity/path.ts";
import type { Segments } from "../text/places.ts";
import type { BuiltVm, ReportAbout } from "./built-vm.ts";

export interface ImagePath {
  readonly image: string;
  readonly path: string;
}

/** Somebody else's bytes that a guest reads or writes. */
interface Use {
  readonly url: string;
  readonly readonly: boolean;
  /** `disk d`, for messages. */
  readonly what: string;
  readonly at: Segments;
}

export function checkSharedDisks(vms: readonly BuiltVm[], images: readonly ImagePath[], report: ReportAbout): void {
  const imageOf = new Map(images.map(({ image, path }) => [canonicalDiskUrl(path), image]));
  const users = new Map<string, { readonly vm: BuiltVm; readonly use: Use }>();
  for (const vm of vms) {
    for (const use of usesOf(vm)) {
      const key = canonicalDiskUrl(use.url);
      const image = imageOf.get(key);
      if (image !== undefined && !use.readonly)
        report(vm, use.at, {
          code: "shared-disk",
          message: `${use.what} is the Image ${image}: disks are made over it, and a guest that writes to it destroys them`,
          hint: `make it readonly, or make a disk over it: image: ${image}`,
        });
      const first = users.get(key);
      if (first === undefined) users.set(key, { vm, use });
      else if (!use.readonly || !first.use.readonly)
        report(vm, use.at, {
          code: "shared-disk",
          message: `${first.vm === vm ? "this VM" : first.vm.name}'s ${first.use.what} is the same bytes`,
          hint: "two guests that write to one disk destroy it: give each its own, or make both readonly",
        });
    }
  }
}

function* usesOf({ spec }: BuiltVm): Iterable<Use> {
  for (const { name, origin, readonly } of spec.disks)
    if (origin.kind === "external")
      yield { url: origin.url, readonly, what: `disk ${name}`, at: ["disks", name, "source"] };
  if (spec.hypervisor !== "cloud-hypervisor") return;
  for (const [index, item] of listOf(spec.passthrough.disks).entries())
    if (typeof item.path === "string")
      yield {
        url: item.path,
        readonly: item.readonly === true,
        what: `disk ${String(item.id ?? index)} of cloudHypervisor`,
        at: ["cloudHypervisor", "disks", index, "path"],
      };
  for (const [index, item] of listOf(spec.passthrough.pmem).entries())
    if (typeof item.file === "string")
      yield {
        url: item.file,
        readonly: item.discard_writes === true,
        what: `pmem ${String(item.id ?? index)}`,
        at: ["cloudHypervisor", "pmem", index, "file"],
      };
}

/** A device is a node's: of VMs that may live on different ones the same address is another device. */
export function checkSharedDevices(vms: readonly BuiltVm[], report: ReportAbout): void {
  const owners = new Map<string, BuiltVm>();
  for (const vm of vms) {
    const { passthrough, hypervisor } = vm.spec;
    if (hypervisor !== "cloud-hypervisor") continue;
    const [node, ...others] = vm.placement.nodes;
    const home = node === undefined || others.length > 0 ? `VM ${vm.name}` : `node ${node}`;
    for (const [index, { path }] of listOf(passthrough.devices).entries()) {
      const address = typeof path === "string" ? pciAddress(path) : null;
      if (address === null) continue;
      const key = `${home} ${address}`;
      const owner = owners.get(key);
      if (owner === undefined) owners.set(key, vm);
      else
        report(vm, ["cloudHypervisor", "devices", index, "path"], {
          code: "shared-disk",
          message: `${owner === vm ? "this VM" : owner.name} has the device ${address} already`,
          hint: "a device is one guest's: give each its own",
        });
    }
  }
}

const listOf = (value: unknown): readonly Readonly<Record<string, unknown>>[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === "object" && item !== null) : [];
