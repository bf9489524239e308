/** What a hypervisor is told of a VM: its spec, its folders, and the texts that its spec refers to. */
import type { VmName } from "../../../model/names.ts";
import { referencedFiles, type VmSpec } from "../../../model/vm-spec.ts";
import type { LaunchInput } from "../../hypervisor/hypervisor.ts";
import type { Parts } from "../parts/parts.ts";

export async function launchInput(parts: Parts, name: VmName, spec: VmSpec): Promise<LaunchInput> {
  const files = await parts.store.readTexts(name, referencedFiles(spec));
  const images = await imagesOf(parts, name, spec);
  return { name, spec, paths: parts.store.paths(name), files, ...(images === null ? {} : { images }) };
}

/** Null: this guest has none. Of a disk whose files cannot be found it is not said: whoever starts the guest says why. */
async function imagesOf(
  parts: Parts,
  name: VmName,
  spec: VmSpec,
): Promise<Readonly<Record<string, readonly string[]>> | null> {
  const disks = spec.disks.filter(({ origin }) => origin.kind === "image");
  if (disks.length === 0 || parts.hypervisors.get(spec.hypervisor)?.disks !== "real") return null;
  const images: Record<string, readonly string[]> = {};
  for (const disk of disks) {
    const files = await parts.storage.standsOn(parts.store.paths(name), disk).catch(() => null);
    if (files !== null) images[disk.name] = files;
  }
  return images;
}

/** For a guest that runs already: it has its texts, so a lost copy of them must not keep the agent from finding the guest again. */
export async function runningInput(parts: Parts, name: VmName, spec: VmSpec): Promise<LaunchInput> {
  try {
    return await launchInput(parts, name, spec);
  } catch (error) {
    parts.logger.warn({ err: error, vm: name }, "the texts of a running guest are lost");
    return { name, spec, paths: parts.store.paths(name), files: new Map() };
  }
}
