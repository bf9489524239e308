/** What a hypervisor is told of a VM: its spec, its folders, and the texts that its spec refers to. */
import type { VmName } from "../../../model/names.ts";
import { referencedFiles, type VmSpec } from "../../../model/vm-spec.ts";
import type { LaunchInput } from "../../hypervisor/hypervisor.ts";
import type { Parts } from "../parts/parts.ts";

export async function launchInput(parts: Parts, name: VmName, spec: VmSpec): Promise<LaunchInput> {
  const files = await parts.store.readTexts(name, referencedFiles(spec));
  return { name, spec, paths: parts.store.paths(name), files };
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
