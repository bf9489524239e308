/** Whether a node's hypervisors can run a spec at all, from the capabilities the agent reports. "Can't" is found at plan time. */

import { isFirmwarePath } from "../model/boot/firmware.ts";
import { checkVmConfig } from "../model/cloud-hypervisor/check-vm-config.ts";
import { PLACEHOLDERS } from "../model/cloud-hypervisor/places.ts";
import { type ConfiguredSpec, toVmConfig } from "../model/cloud-hypervisor/to-vm-config.ts";
import { toLiveConfig } from "../model/fields.ts";
import { schemeOf } from "../model/identity/disk-url.ts";
import type { HypervisorReport, NodeReport } from "../model/observed-state.ts";
import type { VmSpec } from "../model/vm-spec.ts";

/** Why this node cannot run it, or null when it can. */
export function whyUnsupported(spec: VmSpec, report: NodeReport): string | null {
  const hypervisor = findHypervisor(spec, report);
  if (!hypervisor) {
    const there = report.hypervisors.map((each) => each.kind).join(", ");
    return `has no ${spec.hypervisor}${there === "" ? "" : ` (it has ${there})`}`;
  }
  const { bootKinds, diskKinds, nicKinds, cloudInit, firmware, limits = {} } = hypervisor.capabilities;
  const cannot = (what: string) => `its ${hypervisor.kind} ${hypervisor.version} has no ${what}`;
  if (!bootKinds.includes(spec.boot.kind)) return cannot(`boot by ${spec.boot.kind}`);
  if (
    spec.boot.kind === "firmware" &&
    !isFirmwarePath(spec.boot.firmware) &&
    firmware?.includes(spec.boot.firmware) === false
  )
    return cannot(spec.boot.firmware === "default" ? "firmware" : `firmware ${spec.boot.firmware}`);
  const { cpus, memory } = spec;
  if (limits.cpus !== undefined && cpus.max > limits.cpus)
    return cannot(`more than ${limits.cpus} vCPUs for a guest, and this one may grow to ${cpus.max}`);
  if (limits.memoryMiB !== undefined && memory.maxMiB > limits.memoryMiB)
    return cannot(`more than ${limits.memoryMiB} MiB for a guest, and this one may grow to ${memory.maxMiB}`);
  for (const { origin } of spec.disks) {
    const kind = origin.kind === "external" ? schemeOf(origin.url) : origin.kind;
    if (!diskKinds.includes(kind)) return cannot(`disks of kind ${kind}`);
  }
  for (const { attachment } of spec.nics) {
    if (!nicKinds.includes(attachment.kind)) return cannot(`NICs of kind ${attachment.kind}`);
  }
  if (spec.cloudInit !== null && !cloudInit) return cannot("cloud-init");
  return whyRefused(spec, hypervisor);
}

/** A spec of fewer characters never makes a VmConfig that is too long: the longest it says of a disk is five times the spec's. */
const LONG_SPEC_CHARACTERS = 10_000;

/** Whether it takes more than the fields that are looked at above to say if a node can run it: then all of it counts. */
export const needsCloserLook = (spec: VmSpec): boolean =>
  spec.hypervisor === "cloud-hypervisor" &&
  (Object.keys(spec.passthrough).length > 0 || JSON.stringify(spec).length >= LONG_SPEC_CHARACTERS);

/**
 * Kinds of disks and NICs were looked at: what its capabilities say that it can, it can. And what no version minds is the same for
 * all VMs, so that those of one kind are looked at once.
 */
const withPlaceholders = (spec: VmSpec): ConfiguredSpec => ({
  ...toLiveConfig(spec),
  disks: spec.disks.map((disk) =>
    disk.origin.kind === "external" && !disk.origin.url.startsWith("file:")
      ? { ...disk, origin: { kind: "external", url: "file:///elsewhere" } }
      : disk,
  ),
  nics: spec.nics.map((nic, index) => ({
    ...nic,
    attachment: { kind: "bridge", bridge: "" },
    mac: `52:54:00:00:00:${index.toString(16).padStart(2, "0")}`,
    address: null,
  })),
});

/** By version and what was looked at, which say it all. A fleet has a handful of them. */
const refusals = new Map<string, string | null>();
const REFUSALS_AT_MOST = 500;

/** What only this version of Cloud Hypervisor minds: manifests are checked for all of them. */
function whyRefused(spec: VmSpec, hypervisor: HypervisorReport): string | null {
  if (!needsCloserLook(spec)) return null;
  const looked = withPlaceholders(spec);
  const key = `${hypervisor.kind} ${hypervisor.version} ${JSON.stringify(looked)}`;
  const known = refusals.get(key);
  if (known !== undefined) return known;
  const why = lookCloser(looked, hypervisor);
  if (refusals.size >= REFUSALS_AT_MOST) refusals.clear();
  refusals.set(key, why);
  return why;
}

function lookCloser(spec: ConfiguredSpec, { kind, version }: HypervisorReport): string | null {
  const config = toVmConfig({ name: "", spec, places: PLACEHOLDERS, version });
  const [problem] = checkVmConfig(config, { version });
  if (problem === undefined) return null;
  const { path, message } = problem;
  return `has ${kind} ${version}, which would refuse it: ${path.length === 0 ? message : `${path.join(".")}: ${message}`}`;
}

export const findHypervisor = (spec: VmSpec, report: NodeReport): HypervisorReport | undefined =>
  report.hypervisors.find((each) => each.kind === spec.hypervisor);
