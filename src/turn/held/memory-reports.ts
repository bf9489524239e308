/** Agents' last reports in memory, for a process that asks them again and again: with their specs shared, and no file read or parsed. */
import type { Digest } from "../../model/names.ts";
import type { NodeReport } from "../../model/observed-state.ts";
import type { VmSpec } from "../../model/vm-spec.ts";
import { shareSpecs } from "../../observe/share-specs.ts";
import type { KeptReport, KeptReports } from "../../wire/kept-reports.ts";

export class MemoryReports implements KeptReports {
  readonly #kept = new Map<string, KeptReport>();
  /** Those of the manifests, by the digest of their JSON. */
  specs: ReadonlyMap<Digest, VmSpec> = new Map();

  get(address: string): KeptReport | null {
    return this.#kept.get(address) ?? null;
  }

  async set(address: string, tag: string, report: NodeReport): Promise<NodeReport> {
    const shared = shareSpecs(report, this.specs);
    this.#kept.set(address, { tag, read: () => shared });
    return shared;
  }

  keepOnly(addresses: ReadonlySet<string>): void {
    for (const address of this.#kept.keys()) if (!addresses.has(address)) this.#kept.delete(address);
  }
}
