/**
 * Agents in memory for a whole fleet, begun from any observation, with somebody who watches the promises at every moment:
 *
 *   const fleet = new RehearsedFleet(world.observed(), time);
 *   await apply(plan, fleet.agent, …);
 *   expect(fleet.broken).toEqual([]);
 *   makePlan({ …, observed: fleet.observe() });
 */
import { byName, type NodeName, nodeName, type VmName, vmName } from "../../model/names.ts";
import type { Capacity, ObservedNode, ObservedState } from "../../model/observed-state.ts";
import type { Clock } from "../../platform/clock.ts";
import type { OperationKind } from "../../wire/operations.ts";
import { type ActWatcher, type Behaviour, type Call, RehearsedAgent } from "./rehearsed-agent.ts";

/** One act of one agent that was really carried out. */
export interface Deed {
  readonly node: NodeName;
  readonly vm: VmName;
  readonly kind: OperationKind;
}

export class RehearsedFleet {
  /** Everything that was done, in order. No-ops and refusals are not deeds. */
  readonly deeds: Deed[] = [];
  /** Promises broken on the way: a guest on two nodes, a guest started twice. Empty is good. */
  readonly broken: string[] = [];
  /** The most that the guests of a node held at any moment. */
  readonly peaks = new Map<NodeName, Capacity>();
  readonly #clock: Clock;
  readonly #agents = new Map<NodeName, RehearsedAgent>();
  readonly #before: ObservedState;
  /** Where each guest runs. From the begin of a boot to the end of what stops it: the careful reading of "runs". */
  readonly #homes = new Map<VmName, Set<NodeName>>();

  /** Silent nodes stay silent: nobody knows what is on them. */
  constructor(observed: ObservedState, clock: Clock) {
    this.#clock = clock;
    this.#before = observed;
    for (const node of observed.nodes) {
      if (node.reach === "silent") continue;
      const agent = new RehearsedAgent(node.report, clock, this.#watcher);
      agent.peers = this.agent;
      this.#agents.set(node.name, agent);
      for (const vm of node.report.vms) if (vm.live !== null) this.#homesOf(vm.name).add(node.name);
      this.#measure(node.name);
    }
  }

  /** For `apply`. */
  readonly agent = (node: NodeName): RehearsedAgent => {
    const agent = this.#agents.get(node);
    if (!agent) throw new Error(`nobody may call ${node}: it was silent from the start`);
    return agent;
  };

  on(node: string): RehearsedAgent {
    return this.agent(nodeName(node));
  }

  /** Decides about every call of every agent. */
  behave(decide: (call: Call) => Behaviour | undefined): void {
    for (const agent of this.#agents.values()) agent.onCall = decide;
  }

  /** As `observe/` would see it now. */
  observe(): ObservedState {
    const nodes = this.#before.nodes.map((node): ObservedNode => {
      const agent = this.#agents.get(node.name);
      if (agent && !agent.silent) return { name: node.name, reach: "answered", report: agent.look() };
      const error = node.reach === "silent" ? node.error : "connection refused";
      return { name: node.name, reach: "silent", error };
    });
    return { at: this.#clock.now(), nodes };
  }

  /** `create web-1 on n1`, in the order in which they ended. */
  get story(): string[] {
    return this.deeds.map(({ kind, vm, node }) => `${kind} ${vm} on ${node}`);
  }

  timesBooted(vm: string): number {
    return this.deeds.filter((deed) => deed.vm === vmName(vm) && deed.kind === "boot").length;
  }

  /** Requests for this VM, over all nodes, carried out or not. */
  callsFor(vm: string): Call[] {
    return [...this.#agents.values()].flatMap((agent) => agent.calls.filter((call) => call.vm === vmName(vm)));
  }

  readonly #watcher: ActWatcher = {
    begun: (node, vm, kind) => {
      if (kind !== "boot") return;
      const homes = this.#homesOf(vm);
      if (homes.has(node)) this.broken.push(`${vm} is started on ${node}, where it runs already`);
      homes.add(node);
      if (homes.size > 1) this.broken.push(`${vm} runs on ${[...homes].sort(byName).join(" and ")}`);
    },
    ended: (node, vm, kind, succeeded) => {
      const stops = kind === "shutdown" || kind === "delete";
      if (succeeded ? stops : kind === "boot") this.#homesOf(vm).delete(node);
      if (succeeded) this.deeds.push({ node, vm, kind });
      this.#measure(node);
    },
    died: (node, vm) => void this.#homesOf(vm).delete(node),
    moved: (from, to, vm) => {
      const homes = this.#homesOf(vm);
      homes.delete(from);
      homes.add(to);
      this.#measure(to);
    },
  };

  #homesOf(vm: VmName): Set<NodeName> {
    const known = this.#homes.get(vm) ?? new Set();
    this.#homes.set(vm, known);
    return known;
  }

  #measure(node: NodeName): void {
    const peak = this.peaks.get(node) ?? { cpus: 0, memoryMiB: 0 };
    const { cpus, memoryMiB } = this.agent(node).held();
    this.peaks.set(node, { cpus: Math.max(peak.cpus, cpus), memoryMiB: Math.max(peak.memoryMiB, memoryMiB) });
  }
}
