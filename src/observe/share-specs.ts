/** What agents report of VMs is mostly what the manifests want: the same values become the same objects, held once and equal at a glance. */
import { digestOfText } from "../model/digest.ts";
import { sameValue, toLiveConfig } from "../model/fields.ts";
import type { Digest } from "../model/names.ts";
import type { NodeReport, VmReport } from "../model/observed-state.ts";
import type { VmSpec } from "../model/vm-spec.ts";

/** `specs`: those of the manifests, by the digest of their JSON. */
export const shareSpecs = (report: NodeReport, specs: ReadonlyMap<Digest, VmSpec>): NodeReport => ({
  ...report,
  vms: report.vms.map((vm): VmReport => {
    const spec = specs.get(digestOfText(JSON.stringify(vm.spec))) ?? vm.spec;
    const asSpec = toLiveConfig(spec);
    return { ...vm, spec, live: vm.live !== null && sameValue(vm.live, asSpec) ? asSpec : vm.live };
  }),
});
