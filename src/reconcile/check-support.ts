/** Whether a node's hypervisors can run a spec at all, from the capabilities the agent reports. "Can't" is found at plan time. */
import { bodyLimit, bytesOfConfig } from "../model/cloud-hypervisor/check-vm-config.ts";
import { PLACEHOLDERS } from "../model/cloud-hypervisor/places.ts";
import { toVmConfig } from "../model/cloud-hypervisor/to-vm-config.ts";
import type { HypervisorReport, NodeReport } from "../model/observed-state.ts";
import type { VmSpec } from "../model/vm-spec.ts";

/** Why this node cannot run it, or null when it can. */
export function whyUnsupported(spec: VmSpec, report: NodeReport): string | null {
  const hypervisor = findHypervisor(spec, report);
  if (!hypervisor) {
    const there = report.hypervisors.map((each) => each.kind).join(", ");
    return `has no ${spec.hypervisor}${there === "" ? "" : ` (it has ${there})`}`;
  }
  const { bootKinds, diskKinds, nicKinds, cloudInit } = hypervisor.capabilities;
  const cannot = (what: string) => `its ${hypervisor.kind} ${hypervisor.version} has no ${what}`;
  if (!bootKinds.includes(spec.boot.kind)) return cannot(`boot by ${spec.boot.kind}`);
  for (const { origin } of spec.disks) {
    const kind = origin.kind === "external" ? (origin.url.split(":")[0] ?? "") : origin.kind;
    if (!diskKinds.includes(kind)) return cannot(`disks of kind ${kind}`);
  }
  for (const { attachment } of spec.nics) {
    if (!nicKinds.includes(attachment.kind)) return cannot(`NICs of kind ${attachment.kind}`);
  }
  if (spec.cloudInit !== null && !cloudInit) return cannot("cloud-init");
  return whyTooLong(spec, hypervisor);
}

/** A spec of fewer characters never makes a VmConfig that is too long: the longest it says of a disk is five times the spec's. */
export const LONG_SPEC_CHARACTERS = 10_000;

function whyTooLong(spec: VmSpec, { kind, version }: HypervisorReport): string | null {
  if (kind !== "cloud-hypervisor" || JSON.stringify(spec).length < LONG_SPEC_CHARACTERS) return null;
  const config = toVmConfig({ name: "", spec, places: PLACEHOLDERS, version });
  const bytes = bytesOfConfig(config);
  const limit = bodyLimit(version);
  if (bytes <= limit) return null;
  return `has ${kind} ${version}, which takes a configuration of ${limit} bytes, and this one has ${bytes}`;
}

export const findHypervisor = (spec: VmSpec, report: NodeReport): HypervisorReport | undefined =>
  report.hypervisors.find((each) => each.kind === spec.hypervisor);
