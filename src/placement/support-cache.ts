import { schemeOf } from "../model/identity/disk-url.ts";
import type { NodeReport } from "../model/observed-state.ts";
import type { VmSpec } from "../model/vm-spec.ts";
import { needsCloserLook, whyUnsupported } from "../reconcile/check-support.ts";

/** Whether a node supports a spec depends on few of its fields, and on what its hypervisors are: asked once for nodes that have the same. */
export function supportCache(): (spec: VmSpec, report: NodeReport) => string | null {
  const byHypervisors = new Map<string, Map<string, string | null>>();
  const answers = new Map<NodeReport, Map<string, string | null>>();
  const answersOf = ({ hypervisors }: NodeReport): Map<string, string | null> => {
    const same = JSON.stringify(hypervisors);
    const known = byHypervisors.get(same) ?? new Map<string, string | null>();
    byHypervisors.set(same, known);
    return known;
  };
  const keys = new WeakMap<VmSpec, string>();
  return (spec, report) => {
    let key = keys.get(spec);
    if (key === undefined) {
      const disks = spec.disks.map(({ origin }) => (origin.kind === "external" ? schemeOf(origin.url) : origin.kind));
      key = JSON.stringify([
        spec.hypervisor,
        spec.boot.kind === "firmware" ? spec.boot.firmware : null,
        spec.cpus.max,
        spec.memory.maxMiB,
        disks,
        spec.nics.map((nic) => nic.attachment.kind),
        spec.cloudInit !== null,
      ]);
      if (needsCloserLook(spec)) key = JSON.stringify(spec);
      keys.set(spec, key);
    }
    const known = answers.get(report) ?? answersOf(report);
    answers.set(report, known);
    const answer = known.get(key);
    if (answer !== undefined) return answer;
    const asked = whyUnsupported(spec, report);
    known.set(key, asked);
    return asked;
  };
}
