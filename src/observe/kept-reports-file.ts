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

/** The first line; the specs follow, a line each. */
interface Head {
  readonly tag: string;
  readonly report: Omit<NodeReport, "vms"> & { readonly vms: readonly KeptVmReport[] };
  readonly specDigests: readonly Digest[];
}

/** `spec`: the number of its line. `live`: "as-spec" when it is what the spec says. */
type KeptVmReport = Omit<VmReport, "spec" | "live"> & {
  readonly spec: number;
  readonly live: LiveConfig | "as-spec" | null;
};

/** `specs`: those of the manifests, by the digest of their JSON. */
export function openKeptReports(specs: ReadonlyMap<Digest, VmSpec>, folder = cacheFolder()): KeptReports {
  const header = `odorobo report ${codeDigest("model", "observe", "wire", "../schemas")}`;
  const pathOf = (address: string) => join(folder, "reports", `${hash("sha256", address, "hex").slice(0, 32)}.jsonl`);
  return {
    get(address) {
      const lines: string[] = [];
      if (!readKept(pathOf(address), header, (line) => lines.push(line))) return null;
      const [first = "", ...specLines] = lines;
      const head = JSON.parse(first) as Head;
      return { tag: head.tag, read: () => unpack(head, specLines, specs) };
    },
    set: (address, tag, report) => writeKept(pathOf(address), header, pack(tag, report)),
  };
}

function pack(tag: string, report: NodeReport): string[] {
  const lines: string[] = [];
  const vms = report.vms.map((vm): KeptVmReport => {
    const { spec, live } = vm;
    const isAsSpec = live !== null && sameValue(live, toLiveConfig(spec));
    return { ...vm, spec: lines.push(JSON.stringify(spec)) - 1, live: isAsSpec ? "as-spec" : live };
  });
  const head: Head = { tag, report: { ...report, vms }, specDigests: lines.map(digestOfText) };
  return [JSON.stringify(head), ...lines];
}

function unpack(
  { report, specDigests }: Head,
  lines: readonly string[],
  known: ReadonlyMap<Digest, VmSpec>,
): NodeReport {
  const specs = specDigests.map((digest, line) => known.get(digest) ?? (JSON.parse(lines[line] ?? "") as VmSpec));
  const vms = report.vms.map((vm): VmReport => {
    const spec = specs[vm.spec] as VmSpec;
    return { ...vm, spec, live: vm.live === "as-spec" ? toLiveConfig(spec) : vm.live };
  });
  return { ...report, vms };
}
