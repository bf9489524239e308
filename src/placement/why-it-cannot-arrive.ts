/** Whether a node can take in a VM that another sends: the other half of `reconcile/departure.ts`. */
import { sendsTo } from "../model/cloud-hypervisor/version.ts";
import type { HypervisorReport, NodeReport } from "../model/observed-state.ts";
import { findHypervisor, whyUnsupported } from "../reconcile/check-support.ts";
import type { Draft, Travel } from "../reconcile/draft.ts";

/** Null: it can. Else why not, to stand behind the name of the node. */
export function whyItCannotArrive(
  { applied, by, how, draft }: Pick<Travel, "applied" | "by" | "how"> & Partial<Pick<Travel, "draft">>,
  report: NodeReport,
): string | null {
  const here = findHypervisor(applied, report);
  if (here === undefined) return `lacks ${applied.hypervisor}`;
  // It boots there, as any VM would.
  if (how.mode === "cold")
    return here.capabilities.moves?.cold === true
      ? whyUnsupported(applied, report)
      : "has an agent that takes in no VMs that are off";
  if (here.capabilities.moves?.live !== true) return `${here.kind} ${here.version} there takes in no guests`;
  if (here.kind === "cloud-hypervisor" && !sendsTo(by.version, here.version))
    return `has ${here.kind} ${here.version}, which does not take in what runs on ${by.version}`;
  // A guest keeps the machine it was booted with: an older hypervisor may not know it.
  if (here.kind !== "cloud-hypervisor" && isOlder(here.version, by.version))
    return `has the older ${here.kind} ${here.version}, it runs on ${by.version}`;
  if (here.accelerator !== by.accelerator)
    return `runs guests by ${here.accelerator ?? "other means"}, it runs by ${by.accelerator ?? "other means"}`;
  if (draft !== undefined && changesAsItRuns(draft) && !canAllOf(here, by))
    return `has ${here.kind} ${here.version}, which changes less of a running guest than it needs`;
  return whyUnsupported(applied, report);
}

/** What its own hypervisor would do live is planned to be done where it arrives. */
const changesAsItRuns = ({ put, power, reasons }: Draft): boolean =>
  put !== null && power === null && reasons.some((each) => each.class === "live" && DEVICES.test(each.field ?? ""));

const DEVICES = /^(cpus|memory|disks|nics)\b/;

const canAllOf = (here: HypervisorReport, by: HypervisorReport): boolean =>
  Object.entries(by.capabilities.live).every(
    ([act, can]) => !can || here.capabilities.live[act as keyof HypervisorReport["capabilities"]["live"]],
  );

/** By the numbers in them, the first that differs counts: `7.2.22` is older than `10.0`. */
function isOlder(version: string, than: string): boolean {
  const [ours, theirs] = [numbersIn(version), numbersIn(than)];
  for (const [index, number] of theirs.entries()) {
    const own = ours[index] ?? 0;
    if (own !== number) return own < number;
  }
  return false;
}

const numbersIn = (version: string): number[] => [...version.matchAll(/\d+/g)].map(([digits]) => Number(digits));
