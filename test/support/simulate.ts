/**
 * Carries a plan out in one's head, in any order its DAG allows, and says what broke on the way.
 * Written from the product's promises, not from the planner: it knows nodes, VMs and what each step does, nothing of changes or classes.
 */

import type { DesiredState } from "../../src/model/desired-state.ts";
import { digestOf } from "../../src/model/digest.ts";
import { compareLive, toLiveConfig } from "../../src/model/fields.ts";
import { byName, type NodeName } from "../../src/model/names.ts";
import type { NodeReport, ObservedState, Tombstone, VmReport } from "../../src/model/observed-state.ts";
import { type VmSpec, wantsRunning } from "../../src/model/vm-spec.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { describeStep, type Step, type StepOf } from "../../src/schedule/step.ts";
import { NOON } from "./a-fleet.ts";

export interface Simulation {
  readonly observed: ObservedState;
  readonly broken: readonly string[];
}

/** `choose(n)` picks which of n possible acts (start a step that may start, end one that runs) comes next. */
export function simulate(
  plan: Plan,
  desired: DesiredState,
  observed: ObservedState,
  choose: (n: number) => number,
): Simulation {
  const world = new SimulatedWorld(desired, observed, plan);
  const waiting = new Set(plan.steps);
  const running = new Set<Step>();
  const ended = new Set<string>();
  while (waiting.size + running.size > 0) {
    const startable = [...waiting].filter((step) => step.after.every((id) => ended.has(id)));
    const acts = [
      ...startable.map((step) => ({ start: true, step })),
      ...[...running].map((step) => ({ start: false, step })),
    ];
    const act = acts[choose(acts.length)];
    if (!act) return { observed: world.observed(), broken: [...world.broken, "the plan never ends"] };
    if (act.start) {
      waiting.delete(act.step);
      running.add(act.step);
      world.start(act.step);
    } else {
      running.delete(act.step);
      ended.add(act.step.id);
      world.end(act.step);
    }
    world.look(describeStep(act.step));
  }
  return { observed: world.observed(), broken: world.broken };
}

class SimulatedWorld {
  readonly broken: string[] = [];
  readonly #desired: DesiredState;
  readonly #before: ObservedState;
  readonly #specs: Plan["specs"];
  readonly #vms = new Map<NodeName, Map<string, VmReport>>();
  /** Guests on their way: where they go. */
  readonly #arriving = new Map<string, NodeName>();
  /** Stopped to be moved: nobody starts them where they are. */
  readonly #packed = new Set<string>();
  readonly #movesCold: ReadonlySet<string>;
  readonly #tombstones = new Map<NodeName, Map<string, Tombstone>>();
  /** Node loads that were too high before the plan are not its fault; they must not grow. */
  readonly #allowedLoad = new Map<NodeName, { cpus: number; memoryMiB: number }>();

  constructor(desired: DesiredState, observed: ObservedState, plan: Plan) {
    this.#desired = desired;
    this.#before = observed;
    this.#specs = plan.specs;
    this.#movesCold = new Set(
      plan.steps.flatMap((step) => (step.kind === "migrateVm" && step.mode === "cold" ? [step.vm] : [])),
    );
    for (const node of observed.nodes) {
      if (node.reach === "silent") continue;
      this.#vms.set(node.name, new Map(node.report.vms.map((vm) => [vm.name, vm])));
      this.#tombstones.set(node.name, new Map(node.report.tombstones.map((each) => [each.name, each])));
      const { reserved, overcommit } = desired.nodes.find((each) => each.name === node.name)!;
      const load = this.#load(node.name);
      const room = {
        cpus: Math.floor(Math.max(0, node.report.capacity.cpus - reserved.cpus) * overcommit.cpus),
        memoryMiB: Math.floor(Math.max(0, node.report.capacity.memoryMiB - reserved.memoryMiB) * overcommit.memory),
      };
      this.#allowedLoad.set(node.name, {
        cpus: Math.max(load.cpus, room.cpus),
        memoryMiB: Math.max(load.memoryMiB, room.memoryMiB),
      });
    }
  }

  /** What a step may do from its first moment on: hold more. */
  start(step: Step): void {
    const vms = this.#vms.get(step.node);
    if (!vms) {
      this.broken.push(`${describeStep(step)}: the node is silent`);
      return;
    }
    if (step.kind === "migrateVm") {
      this.#depart(step, vms);
      return;
    }
    const vm = vms.get(step.vm);
    const spec = this.#specs[step.vm];
    if (step.kind === "createVm") {
      if (vm) this.broken.push(`${describeStep(step)}: it is there`);
      if (spec) vms.set(step.vm, this.#made(step, spec));
      return;
    }
    if (!vm) {
      this.broken.push(`${describeStep(step)}: it is not there`);
      return;
    }
    if (step.expect && (step.expect.generation !== vm.generation || step.expect.serial !== vm.serial))
      this.broken.push(`${describeStep(step)}: stale`);
    if (step.kind === "updateVm" && spec) {
      const live = vm.live === null ? null : this.#liveAfter(vm, spec, step.node);
      vms.set(step.vm, {
        ...vm,
        spec,
        specDigest: digestOf(spec),
        generation: step.generation,
        live: live && this.#bigger(live, vm.live!),
      });
    }
    if (step.kind === "bootVm" || step.kind === "rebootVm") {
      const booted = toLiveConfig(vm.spec);
      vms.set(step.vm, {
        ...vm,
        phase: "running",
        endedBy: null,
        reason: null,
        live: vm.live === null ? booted : this.#bigger(booted, vm.live),
      });
    }
  }

  /** Both ends hold it from the first byte on; it has one home all the same, and that is where it comes from. */
  #depart(step: StepOf<"migrateVm">, there: Map<string, VmReport>): void {
    const complain = (what: string) => void this.broken.push(`${describeStep(step)}: ${what}`);
    const vm = this.#vms.get(step.fromNode)?.get(step.vm);
    if (!vm || there.has(step.vm)) {
      complain(vm ? "it is there already" : "it is not there");
      return;
    }
    if (step.mode === "cold" ? vm.live !== null : vm.phase !== "running") complain(`it is ${vm.phase}`);
    if (step.expect && (step.expect.generation !== vm.generation || step.expect.serial !== vm.serial))
      complain("stale");
    this.#arriving.set(step.vm, step.node);
  }

  /** What is sure only once it has ended: hold less. */
  end(step: Step): void {
    if (step.kind === "migrateVm") {
      const vm = this.#vms.get(step.fromNode)?.get(step.vm);
      if (!vm) return;
      this.#arriving.delete(step.vm);
      this.#packed.delete(step.vm);
      this.#vms.get(step.fromNode)?.delete(step.vm);
      this.#vms.get(step.node)?.set(step.vm, { ...vm, serial: vm.serial + 1 });
      return;
    }
    const vms = this.#vms.get(step.node);
    const vm = vms?.get(step.vm);
    if (!vms || !vm) return;
    const serial = vm.serial + 1;
    switch (step.kind) {
      case "createVm":
        return;
      case "updateVm":
        vms.set(step.vm, this.#settled({ ...vm, serial, live: vm.live && this.#liveAfter(vm, vm.spec, step.node) }));
        return;
      case "bootVm":
      case "rebootVm":
        vms.set(step.vm, this.#settled({ ...vm, serial, live: toLiveConfig(vm.spec) }));
        return;
      case "pauseVm":
        vms.set(step.vm, { ...vm, serial, phase: "paused" });
        return;
      case "resumeVm":
        vms.set(step.vm, { ...vm, serial, phase: "running" });
        return;
      case "shutdownVm":
        if (this.#movesCold.has(step.vm)) this.#packed.add(step.vm);
        vms.set(step.vm, this.#settled({ ...vm, serial, phase: "stopped", endedBy: "operator", live: null }));
        return;
      case "deleteVm": {
        vms.delete(step.vm);
        const disks = vm.spec.disks.filter((disk) => disk.origin.kind !== "external").map((disk) => disk.name);
        const tombstone = {
          name: vm.name,
          fleet: vm.fleet,
          generation: vm.generation,
          serial,
          deletedAt: NOON,
          retainUntil: NOON,
          disks,
        };
        this.#tombstones.get(step.node)?.set(step.vm, tombstone);
        return;
      }
    }
  }

  /** The promises that hold at every instant. */
  look(moment: string): void {
    const homes = new Map<string, NodeName>();
    const twice = new Set(this.#twoHomesBefore());
    for (const [node, vms] of this.#vms) {
      for (const name of vms.keys()) {
        if (homes.has(name) && !twice.has(name))
          this.broken.push(`${moment}: ${name} is on ${homes.get(name)} and on ${node}`);
        homes.set(name, node);
      }
      const load = this.#load(node);
      const allowed = this.#allowedLoad.get(node)!;
      for (const resource of ["cpus", "memoryMiB"] as const) {
        if (load[resource] > allowed[resource])
          this.broken.push(`${moment}: ${node} holds ${load[resource]} ${resource} of ${allowed[resource]}`);
      }
    }
  }

  observed(): ObservedState {
    const sorted = <Item extends { name: string }>(items: Iterable<Item>) =>
      [...items].sort((a, b) => byName(a.name, b.name));
    return {
      at: NOON,
      nodes: this.#before.nodes.map((node) => {
        if (node.reach === "silent") return node;
        const report: NodeReport = {
          ...node.report,
          vms: sorted(this.#vms.get(node.name)!.values()),
          tombstones: sorted(this.#tombstones.get(node.name)!.values()),
        };
        return { ...node, report };
      }),
    };
  }

  #made(step: Step, spec: VmSpec): VmReport {
    const generation = step.kind === "createVm" ? step.generation : 0;
    this.#tombstones.get(step.node)?.delete(step.vm);
    return {
      name: step.vm,
      fleet: this.#desired.fleet.name,
      generation,
      serial: 1,
      phase: "stopped",
      endedBy: null,
      reason: null,
      ready: null,
      since: NOON,
      spec,
      specDigest: digestOf(spec),
      commit: null,
      appliedAt: NOON,
      live: null,
      drift: [],
      pid: null,
    };
  }

  /** Live changes, as the node's hypervisor can make them. */
  #liveAfter(vm: VmReport, spec: VmSpec, node: NodeName): NonNullable<VmReport["live"]> {
    const seen = this.#before.nodes.find((each) => each.name === node);
    const can = seen?.reach === "answered" ? seen.report.hypervisors[0]!.capabilities.live : null;
    const live = vm.live!;
    const take = (now: number, wanted: number, max: number, up: boolean, down: boolean) =>
      wanted > now ? (up && wanted <= max ? wanted : now) : down ? wanted : now;
    const names = new Set(live.disks.map((disk) => disk.name));
    const kept = live.disks
      .filter((disk) => !can?.diskDetach || spec.disks.some((each) => each.name === disk.name))
      .map((disk) => (can?.diskGrow ? (spec.disks.find((each) => each.name === disk.name) ?? disk) : disk));
    const added = can?.diskAttach ? spec.disks.filter((disk) => !names.has(disk.name)) : [];
    const nics =
      live.nics.length > spec.nics.length
        ? can?.nicDetach
          ? spec.nics
          : live.nics
        : live.nics.length < spec.nics.length && can?.nicAttach
          ? spec.nics
          : live.nics;
    return {
      ...live,
      cpus: {
        ...live.cpus,
        count: take(live.cpus.count, spec.cpus.count, live.cpus.max, can?.cpusUp ?? false, can?.cpusDown ?? false),
      },
      memory: {
        ...live.memory,
        sizeMiB: take(
          live.memory.sizeMiB,
          spec.memory.sizeMiB,
          live.memory.maxMiB,
          can?.memoryUp ?? false,
          can?.memoryDown ?? false,
        ),
      },
      disks: [...kept, ...added],
      nics,
    };
  }

  #bigger(a: NonNullable<VmReport["live"]>, b: NonNullable<VmReport["live"]>): NonNullable<VmReport["live"]> {
    return {
      ...a,
      cpus: { ...a.cpus, count: Math.max(a.cpus.count, b.cpus.count) },
      memory: { ...a.memory, sizeMiB: Math.max(a.memory.sizeMiB, b.memory.sizeMiB) },
    };
  }

  #settled(vm: VmReport): VmReport {
    const drift = vm.live === null ? [] : compareLive(vm.live, vm.spec);
    return { ...vm, drift: drift.map(({ path, from, to }) => ({ path, applied: to, live: from })) };
  }

  /** A running guest holds what it has or what it was promised; one that should run holds what it was promised. */
  #load(node: NodeName): { cpus: number; memoryMiB: number } {
    let cpus = 0;
    let memoryMiB = 0;
    const arriving = [...this.#arriving].flatMap(([name, to]) => (to === node ? this.#named(name) : []));
    const here = [...(this.#vms.get(node)?.values() ?? [])].filter(({ name }) => !this.#packed.has(name));
    for (const vm of [...here, ...arriving]) {
      const up = vm.phase === "running" || vm.phase === "paused" || vm.phase === "starting" || vm.phase === "stopping";
      if (!up && wantsRunning(vm.spec.runStrategy, vm.endedBy === "guest") !== true) continue;
      cpus += Math.max(vm.spec.cpus.count, up ? (vm.live?.cpus.count ?? 0) : 0);
      memoryMiB += Math.max(vm.spec.memory.sizeMiB, up ? (vm.live?.memory.sizeMiB ?? 0) : 0);
    }
    return { cpus, memoryMiB };
  }

  #named = (name: string): VmReport[] => [...this.#vms.values()].flatMap((vms) => vms.get(name) ?? []);

  #twoHomesBefore(): string[] {
    const seen = new Set<string>();
    const twice: string[] = [];
    for (const node of this.#before.nodes) {
      if (node.reach === "silent") continue;
      for (const vm of node.report.vms) {
        if (seen.has(vm.name)) twice.push(vm.name);
        seen.add(vm.name);
      }
    }
    return twice;
  }
}
