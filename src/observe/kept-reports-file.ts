/**
 * Agents' last reports on disk, a file each. Specs and live configurations, which are nearly all of a report, are kept once, and
 * those that the manifests want become the very objects that the manifests' reading has: what is the same object is equal.
 */
import { hash } from "node:crypto";
import { join } from "node:path";
import { digestOfText } from "../model/digest.ts";
import { sameValue, toLiveConfig } from "../model/fields.ts";
import type { Digest } from "../model/names.ts";
import type { LiveConfig, NodeReport, VmReport } from "../model/observed-state.ts";
import type { VmSpec } from "../model/vm-spec.ts";
import { cacheFolder } from "../platform/cache-folder.ts";
import { codeDigest } from "../platform/code-digest.ts";
import { readKept, writeKept } from "../platform/kept-file.ts";
import type { KeptReports } from "../wire/kept-reports.ts";

/** The first line; the report itself and its specs follow, a line each. */
interface Head {
  readonly tag: string;
  readonly specDigests: readonly Digest[];
}

type Packed = Omit<NodeReport, "vms"> & { readonly vms: readonly KeptVmReport[] };

/** `spec`: the number of its spec. `live`: "as-spec" when it is what the spec says. */
type KeptVmReport = Omit<VmReport, "spec" | "live"> & {
  readonly spec: number;
  readonly live: LiveConfig | "as-spec" | null;
};

/** `specs`: those of the manifests, by the digest of their JSON. */
export function openKeptReports(specs: ReadonlyMap<Digest, VmSpec>, folder = cacheFolder()): KeptReports {
  const header = `odorobo report ${codeDigest("src/model", "src/observe", "src/wire", "schemas")}`;
  const pathOf = (address: string) => join(folder, "reports", `${hash("sha256", address, "hex").slice(0, 32)}.jsonl`);
  return {
    get(address) {
      // Held until the agent has answered, many at a time: as text, and no spec that is known.
      let head: Head | null = null as Head | null;
      let report = "";
      const found: VmSpec[] = [];
      const isOurs = readKept(pathOf(address), header, (text) => {
        if (head === null) head = JSON.parse(text()) as Head;
        else if (report === "") report = text();
        else found.push(specs.get(head.specDigests[found.length] as Digest) ?? (JSON.parse(text()) as VmSpec));
      });
      if (head === null || !isOurs) return null;
      return { tag: head.tag, read: () => unpack(JSON.parse(report) as Packed, found) };
    },
    async set(address, tag, report) {
      await writeKept(pathOf(address), header, pack(tag, report));
      return report;
    },
  };
}

function pack(tag: string, report: NodeReport): string[] {
  const specs: string[] = [];
  const vms = report.vms.map((vm): KeptVmReport => {
    const { spec, live } = vm;
    const isAsSpec = live !== null && sameValue(live, toLiveConfig(spec));
    return { ...vm, spec: specs.push(JSON.stringify(spec)) - 1, live: isAsSpec ? "as-spec" : live };
  });
  const head: Head = { tag, specDigests: specs.map(digestOfText) };
  const packed: Packed = { ...report, vms };
  return [JSON.stringify(head), JSON.stringify(packed), ...specs];
}

/** `report` is nobody else's: what is left out of it is put in. */
function unpack(report: Packed, specs: readonly VmSpec[]): NodeReport {
  const vms = report.vms.map((vm): VmReport => {
    const spec = specs[vm.spec] as VmSpec;
    return Object.assign(vm, { spec, live: vm.live === "as-spec" ? toLiveConfig(spec) : vm.live });
  });
  return { ...report, vms };
}
