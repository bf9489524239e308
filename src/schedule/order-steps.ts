/**
 * Chains of steps → one DAG that is safe in every order it allows.
 *
 *   make-steps.ts → [order-steps.ts] → make-plan.ts
 *
 * Two things order steps of different VMs: room (what does not fit now waits for what gives room back) and groups
 * (no more than `maxUnavailable` members down at once). Everything else may run side by side.
 */

import { type Amount, excess, fits, isNothing, minus, plus } from "../model/capacity.ts";
import type { Group } from "../model/desired-state.ts";
import { byName, type NodeName, type VmName } from "../model/names.ts";
import type { Chain, Holding } from "./make-steps.ts";
import type { Step } from "./step.ts";

export interface OrderedSteps {
  /** Every step stands behind those it waits for. */
  readonly steps: readonly Step[];
  /** VMs that wait for one another or for room that never comes; when there are any, `steps` is not usable. */
  readonly stuck: readonly VmName[];
}

/** What orders steps because of room: what each node has left right now, or who waits for whom, worked out before. */
export type RoomOrder =
  | { readonly free: ReadonlyMap<NodeName, Amount> }
  | { readonly waits: ReadonlyMap<string, readonly string[]> };

export function orderSteps(chains: readonly Chain[], groups: readonly Group[], room: RoomOrder): OrderedSteps {
  const sorted = [...chains].sort((a, b) => byName(a.vm, b.vm));
  const edges = new Edges();
  for (const chain of sorted) for (const step of chain.steps) edges.add(step.id, step.after);
  const stuck = "free" in room ? waitForRoom(sorted, room.free, edges) : [];
  if ("waits" in room) for (const [step, after] of room.waits) edges.add(step, after);
  waitForGroups(sorted, groups, edges);
  const levels = edges.levels();
  const waiting = sorted.filter((chain) => chain.steps.some((step) => !levels.has(step.id)));
  if (stuck.length > 0 || waiting.length > 0) {
    // Giving way: of those who wait for each other, the last that wants room; planning goes on without it.
    const first = waiting.filter((chain) => chain.takes.length > 0).at(-1) ?? waiting.at(-1);
    return { steps: [], stuck: stuck.length > 0 ? stuck : first ? [first.vm] : [] };
  }
  const steps = sorted.flatMap((chain) => chain.steps.map((step) => ({ ...step, after: edges.of(step.id) })));
  steps.sort((a, b) => (levels.get(a.id) ?? 0) - (levels.get(b.id) ?? 0) || byName(a.vm, b.vm) || byName(a.id, b.id));
  return { steps, stuck: [] };
}

interface Need {
  readonly vm: VmName;
  readonly step: string;
  readonly amount: Amount;
  /** Its chain gives nothing that anybody could wait for. */
  readonly isPure: boolean;
}

/**
 * Per node: takes that fit into what is free together need not wait. Each further take waits for as many gives as make
 * room for it and for all takes before it, so the order among the waiting does not matter.
 */
function waitForRoom(chains: readonly Chain[], free: ReadonlyMap<NodeName, Amount>, edges: Edges): VmName[] {
  const stuck: VmName[] = [];
  const takes = new Map<NodeName, Need[]>();
  const gives = new Map<NodeName, Need[]>();
  const lateGives = new Map<NodeName, Need[]>();
  // Those who give something first: they can wait for fewer, so what is free now is theirs.
  const isPure = (chain: Chain): boolean => chain.gives.length === 0;
  for (const chain of [...chains.filter((each) => !isPure(each)), ...chains.filter(isPure)]) {
    for (const { take, give, late } of netHoldings(chain)) {
      if (take) push(takes, take.node, { vm: chain.vm, isPure: isPure(chain), ...take });
      if (give) push(gives, give.node, { vm: chain.vm, isPure: false, ...give });
      if (late) push(lateGives, late.node, { vm: chain.vm, isPure: false, ...late });
    }
  }
  for (const [node, needs] of takes) {
    let room = free.get(node) ?? { cpus: 0, memoryMiB: 0 };
    const late: Need[] = [];
    for (const need of needs) {
      if (fits(need.amount, room)) room = minus(room, need.amount);
      else late.push(need);
    }
    const early = gives.get(node) ?? [];
    const sources = [...early, ...(lateGives.get(node) ?? [])];
    let used = 0;
    for (const need of late) {
      room = minus(room, need.amount);
      const most = need.isPure ? sources.length : early.length;
      while (!fits({ cpus: 0, memoryMiB: 0 }, room) && used < most) room = plus(room, (sources[used++] as Need).amount);
      if (!fits({ cpus: 0, memoryMiB: 0 }, room)) {
        stuck.push(need.vm);
        room = plus(room, need.amount);
        continue;
      }
      const waitsFor = sources.slice(0, used).filter((give) => give.vm !== need.vm);
      edges.add(
        need.step,
        waitsFor.map((give) => give.step),
      );
    }
  }
  return stuck;
}

/**
 * What a chain asks of and offers to others, node by node. A give that comes with or after a take of the same chain (a move)
 * is `late`: only for those who offer nothing themselves, or two such chains could wait for each other. A delete and a create
 * on the same node are settled within the chain.
 */
function netHoldings(chain: Chain): { take?: Holding; give?: Holding; late?: Holding }[] {
  const position = new Map(chain.steps.map((step, index) => [step.id, index]));
  const firstTake = Math.min(...chain.takes.map((take) => position.get(take.step) ?? 0));
  const offered = chain.gives.filter((give) => (position.get(give.step) ?? 0) < firstTake);
  const nodes = [...new Set([...chain.takes, ...offered].map((holding) => holding.node))];
  const late = chain.gives.filter((give) => !offered.includes(give)).map((give) => ({ late: give }));
  const net = nodes.map((node) => {
    const take = chain.takes.find((holding) => holding.node === node);
    const give = offered.find((holding) => holding.node === node);
    if (!take || !give) return { ...(take && { take }), ...(give && { give }) };
    const more = excess(take.amount, give.amount);
    const less = excess(give.amount, take.amount);
    return {
      ...(!isNothing(more) && { take: { ...take, amount: more } }),
      ...(!isNothing(less) && { give: { ...give, amount: less } }),
    };
  });
  return [...net, ...late];
}

/** Members that come up do so first; then at most `maxUnavailable` are taken down side by side, each lane one after another. */
function waitForGroups(chains: readonly Chain[], groups: readonly Group[], edges: Edges): void {
  const members = new Map<string, Chain[]>();
  for (const chain of chains) if (chain.group !== null) push(members, chain.group, chain);
  for (const group of groups) {
    const all = members.get(group.name) ?? [];
    const restoring = all.filter((chain) => chain.restores).flatMap((chain) => chain.steps.slice(-1));
    // Those who only give room go first, so that nobody who needs it waits behind somebody who waits for them.
    const disrupting = all
      .filter((chain) => chain.disrupts)
      .sort((a, b) => a.takes.length - b.takes.length || byName(a.vm, b.vm));
    for (const [index, chain] of disrupting.entries()) {
      const before = disrupting[index - group.maxUnavailable]?.steps.at(-1);
      const first = chain.steps[0];
      if (first)
        edges.add(
          first.id,
          [...restoring, ...(before ? [before] : [])].map((step) => step.id),
        );
    }
  }
}

/** step id → ids it waits for */
class Edges {
  readonly #after = new Map<string, Set<string>>();

  add(step: string, after: readonly string[]): void {
    const known = this.#after.get(step) ?? new Set();
    this.#after.set(step, known);
    for (const each of after) known.add(each);
  }

  of(step: string): string[] {
    return [...(this.#after.get(step) ?? [])].sort(byName);
  }

  /** Longest way from the start to each step; steps on or behind a cycle have none. */
  levels(): Map<string, number> {
    const waitingFor = new Map<string, number>();
    const followers = new Map<string, string[]>();
    const ready: string[] = [];
    for (const [step, after] of this.#after) {
      waitingFor.set(step, after.size);
      if (after.size === 0) ready.push(step);
      for (const each of after) push(followers, each, step);
    }
    const levels = new Map<string, number>(ready.map((step) => [step, 0]));
    for (let step = ready.pop(); step !== undefined; step = ready.pop()) {
      const level = levels.get(step) ?? 0;
      for (const follower of followers.get(step) ?? []) {
        const left = (waitingFor.get(follower) ?? 0) - 1;
        waitingFor.set(follower, left);
        levels.set(follower, Math.max(levels.get(follower) ?? 0, level + 1));
        if (left === 0) ready.push(follower);
      }
    }
    for (const [step, left] of waitingFor) if (left > 0) levels.delete(step);
    return levels;
  }
}

function push<Key, Item>(map: Map<Key, Item[]>, key: Key, item: Item): void {
  const known = map.get(key);
  if (known) known.push(item);
  else map.set(key, [item]);
}
