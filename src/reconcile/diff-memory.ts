/**
 * VMs that nothing was to be done about, with what that was found from: whoever plans again and again looks anew only at those of which
 * something is another.
 *
 *   diff.ts ⇄ [diff-memory.ts]
 *
 * An optimisation and nothing else: the same plan with it and without, which `test/turn/held.property.test.ts` draws. What is the same
 * object is the same; what is only equal is looked at again. It is a value that its owner passes in, and no two plans at once share one.
 */
import type { DesiredNode, DesiredVm } from "../model/desired-state.ts";
import { sameValue } from "../model/fields.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { NodeReport, VmReport } from "../model/observed-state.ts";
import type { Finding, Present } from "./diff-vm.ts";

const UNCHANGED: Finding = { kind: "unchanged" };

/** What VMs of one node have in common. */
interface Around {
  readonly fleet: string;
  readonly node: DesiredNode;
  readonly report: NodeReport;
  readonly maintenance: Present["maintenance"];
}

interface Unchanged {
  readonly desired: Pick<DesiredVm, "spec" | "placement" | "ignore">;
  readonly vm: VmReport;
  readonly around: Around;
}

interface Found {
  readonly around: Map<NodeName, Around>;
  readonly unchanged: Map<VmName, Unchanged>;
}

export class DiffMemory {
  #before: Found = { around: new Map(), unchanged: new Map() };
  #now: Found = { around: new Map(), unchanged: new Map() };

  /** Before the VMs of one plan: what was not asked for since the last time is forgotten. */
  begin(): void {
    this.#before = this.#now;
    this.#now = { around: new Map(), unchanged: new Map() };
  }

  /** As `find` says, which depends on nothing but these. */
  finding(desired: DesiredVm, present: Present, fleet: string, find: () => Finding): Finding {
    // What is left of earlier ones may stand in a finding's way, and is rare.
    if (present.remains.length > 0) return find();
    const around = this.#aroundOf(present, fleet);
    const known = this.#before.unchanged.get(desired.name);
    if (
      known !== undefined &&
      known.vm === present.vm &&
      known.around === around &&
      known.desired.spec === desired.spec &&
      known.desired.placement === desired.placement &&
      known.desired.ignore === desired.ignore
    ) {
      this.#now.unchanged.set(desired.name, known);
      return UNCHANGED;
    }
    const finding = find();
    if (finding.kind === "unchanged") {
      const { spec, placement, ignore } = desired;
      this.#now.unchanged.set(desired.name, { desired: { spec, placement, ignore }, vm: present.vm, around });
    }
    return finding;
  }

  /** The same object as long as nothing of it is another. */
  #aroundOf({ node, report, maintenance }: Present, fleet: string): Around {
    const ofThisPlan = this.#now.around.get(node.name);
    if (ofThisPlan !== undefined) return ofThisPlan;
    const known = this.#before.around.get(node.name);
    const isSame =
      known !== undefined &&
      known.fleet === fleet &&
      known.maintenance === maintenance &&
      sameAround(known.report, report) &&
      (known.node === node || sameValue(known.node, node));
    const around = isSame ? known : { fleet, node, report, maintenance };
    this.#now.around.set(node.name, around);
    return around;
  }
}

/** But for its VMs, which are looked at one by one, and the time at which it was made. */
function sameAround(before: NodeReport, now: NodeReport): boolean {
  if (before === now) return true;
  const keys = Object.keys(now) as (keyof NodeReport)[];
  return (
    keys.length === Object.keys(before).length &&
    keys.every((key) => key === "vms" || key === "at" || before[key] === now[key])
  );
}
