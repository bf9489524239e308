/** What a plan was made of, in one digest: two plans with the same one saw the same world. */
import { canonicalJson, digestOfText } from "../model/digest.ts";
import type { Digest, NodeName } from "../model/names.ts";
import type { ObservedNode, ObservedState } from "../model/observed-state.ts";

/** `texts`: of who asks again and again. */
export function digestOfObserved({ nodes }: ObservedState, texts?: NodeTexts): Digest {
  return digestOfText(`[${(texts === undefined ? nodes.map(factsOf) : texts.of(nodes)).join(",")}]`);
}

/** Canonical JSON. The serial moves with everything that happens to a VM, so it stands for the rest of its report. */
function factsOf(node: ObservedNode): string {
  if (node.reach === "silent") return canonicalJson([node.name, "silent"]);
  const { capacity, hypervisors, vms, tombstones } = node.report;
  const looks = node.looks === undefined ? [] : [node.looks];
  const kinds = hypervisors.map((each) => `${each.kind} ${each.version}`);
  const seen = vms.map((vm) => `${vm.name} ${vm.generation} ${vm.serial} ${vm.phase} ${vm.specDigest}`);
  const kept = tombstones.map((each) => `${each.name} ${each.generation} ${each.serial}`);
  return canonicalJson([node.name, capacity.cpus, capacity.memoryMiB, kinds, seen, kept, ...looks]);
}

type Answered = Extract<ObservedNode, { readonly reach: "answered" }>;

/** What was said of each node the last time: it is the same as long as these parts of its report are the same objects. */
export class NodeTexts {
  #known = new Map<NodeName, { readonly node: Answered; readonly text: string }>();

  /** Whoever is not among them is forgotten. */
  of(nodes: readonly ObservedNode[]): string[] {
    const before = this.#known;
    this.#known = new Map();
    return nodes.map((node) => {
      if (node.reach === "silent") return factsOf(node);
      const known = before.get(node.name);
      const text = known !== undefined && isSame(known.node, node) ? known.text : factsOf(node);
      this.#known.set(node.name, { node, text });
      return text;
    });
  }
}

const isSame = ({ report: before, looks }: Answered, { report: now, looks: looksNow }: Answered): boolean =>
  looks === looksNow &&
  before.vms === now.vms &&
  before.capacity === now.capacity &&
  before.hypervisors === now.hypervisors &&
  before.tombstones === now.tombstones;
