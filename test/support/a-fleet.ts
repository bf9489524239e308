/**
 * Builds a fleet in a sentence: what the manifests say, and what the agents see. A test says only what differs.
 *
 *   const fleet = aFleet().node("n1").vm("web-1", { on: "n1" });
 *   planOf(fleet, fleet.asDesired().silent("n1"))
 */

import type { Selection } from "../../src/model/changes.ts";
import {
  type AffinityRule,
  DEFAULT_POLICY,
  type DesiredNode,
  type DesiredState,
  type DesiredVm,
  type FleetPolicy,
  type Group,
  type NodeAffinityRule,
  type SpreadRule,
} from "../../src/model/desired-state.ts";
import { digestOf } from "../../src/model/digest.ts";
import { compareLive, toLiveConfig } from "../../src/model/fields.ts";
import type { VmHistory } from "../../src/model/history.ts";
import { byName, type Instant, instant, type NodeName, nodeName, type VmName, vmName } from "../../src/model/names.ts";
import type {
  HypervisorCapabilities,
  ImageBelow,
  LiveConfig,
  MigrationState,
  NodeReport,
  ObservedNode,
  ObservedState,
  Phase,
  RestartState,
  Tombstone,
  UnreadableVm,
  VmReport,
  Whereabouts,
} from "../../src/model/observed-state.ts";
import type { VmSpec } from "../../src/model/vm-spec.ts";
import type { Allowances } from "../../src/plan/guards.ts";
import { makePlan } from "../../src/plan/make-plan.ts";
import type { Plan } from "../../src/plan/plan-document.ts";

export const NOON = instant("2026-01-01T12:00:00.000Z");

export const aSpec = (over: Partial<VmSpec> = {}): VmSpec => ({
  hypervisor: "noop",
  runStrategy: "Always",
  labels: {},
  annotations: {},
  cpus: { count: 1, max: 1 },
  memory: { sizeMiB: 1024, maxMiB: 1024 },
  boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
  disks: [],
  nics: [],
  cloudInit: null,
  ready: null,
  migration: { mode: "live", downtimeMs: 300, timeoutSeconds: 600 },
  onDrain: "migrate",
  group: null,
  protect: false,
  retainDisksSeconds: 604_800,
  shutdownGraceSeconds: 90,
  weights: { cpu: null, io: null },
  passthrough: {},
  ...over,
});

/** Everything live within the room given at boot, as the noop hypervisor. */
export const ABLE: HypervisorCapabilities = {
  live: {
    cpusUp: true,
    cpusDown: true,
    memoryUp: true,
    memoryDown: true,
    diskGrow: true,
    diskAttach: true,
    diskDetach: true,
    nicAttach: true,
    nicDetach: true,
  },
  pause: true,
  migrate: false,
  bootKinds: ["firmware", "kernel"],
  diskKinds: ["image", "blank", "file", "nbd", "rbd", "iscsi"],
  nicKinds: ["user", "bridge", "none"],
  cloudInit: true,
};

export interface VmInput extends Partial<VmSpec> {
  /** `placement.node`. */
  readonly on?: string;
  readonly nodes?: readonly string[];
  readonly selector?: Readonly<Record<string, string>>;
  readonly affinity?: readonly AffinityRule[];
  readonly antiAffinity?: readonly AffinityRule[];
  readonly nodeAffinity?: readonly NodeAffinityRule[];
  readonly spread?: readonly SpreadRule[];
  readonly ignore?: readonly string[];
  readonly windows?: DesiredVm["windows"];
}

export class FleetBuilder {
  #nodes: DesiredNode[] = [];
  #capacities = new Map<string, { cpus: number; memoryMiB: number }>();
  #vms: DesiredVm[] = [];
  #groups: Group[] = [];
  #policy: FleetPolicy = DEFAULT_POLICY;

  node(name: string, over: Partial<DesiredNode> & { cpus?: number; memoryMiB?: number } = {}): this {
    const { cpus = 16, memoryMiB = 16384, ...node } = over;
    this.#capacities.set(name, { cpus, memoryMiB });
    this.#nodes.push({
      name: nodeName(name),
      address: `http://${name}:8890`,
      labels: {},
      reserved: { cpus: 0, memoryMiB: 0 },
      overcommit: { cpus: 1, memory: 1 },
      maintenance: null,
      cordoned: false,
      fenced: false,
      source: null,
      ...node,
    });
    return this;
  }

  nodes(...names: string[]): this {
    for (const name of names) this.node(name);
    return this;
  }

  vm(name: string, input: VmInput = {}): this {
    const { on, nodes, selector = {}, affinity = [], antiAffinity = [], ignore = [], windows, ...rest } = input;
    const { nodeAffinity, spread, ...over } = rest;
    const allowed = on === undefined ? (nodes ?? []) : [on];
    this.#vms.push({
      name: vmName(name),
      spec: aSpec(over),
      placement: {
        ...{ nodes: allowed.map(nodeName), selector, affinity, antiAffinity },
        ...(nodeAffinity === undefined ? {} : { nodeAffinity }),
        ...(spread === undefined ? {} : { spread }),
      },
      ...(windows === undefined ? {} : { windows }),
      ignore,
      source: { file: `${name}.yaml`, line: 1, column: 1 },
      whereIs: (pointer) => ({ file: `${name}.yaml`, line: pointer.length, column: 1 }),
    });
    return this;
  }

  group(name: string, maxUnavailable: number, windows?: Group["windows"]): this {
    this.#groups.push({ name, maxUnavailable, ...(windows === undefined ? {} : { windows }) });
    return this;
  }

  policy(over: Partial<FleetPolicy>): this {
    this.#policy = { ...this.#policy, ...over };
    return this;
  }

  desired(): DesiredState {
    const sorted = <Item extends { name: string }>(items: readonly Item[]) =>
      [...items].sort((a, b) => byName(a.name, b.name));
    const content = { nodes: sorted(this.#nodes), vms: sorted(this.#vms), groups: sorted(this.#groups) };
    return {
      fleet: { name: "test", policy: this.#policy },
      ...content,
      files: new Map(),
      digest: digestOf({ ...content, vms: content.vms.map(({ whereIs: _, ...vm }) => vm) }),
    };
  }

  /** The nodes, with nothing on them. */
  empty(): WorldBuilder {
    return new WorldBuilder(
      this.#nodes.map((node) => node.name),
      this.#capacities,
    );
  }

  /** Every VM that names one node runs there, just as the manifests say. */
  asDesired(): WorldBuilder {
    const world = this.empty();
    for (const vm of this.#vms) {
      const [home] = vm.placement.nodes;
      if (home !== undefined) world.has(vm.name, home, { spec: vm.spec });
    }
    return world;
  }
}

export interface SeenInput {
  readonly spec?: VmSpec;
  readonly phase?: Phase;
  /** What the running guest has, where it is not what was applied. */
  readonly live?: Partial<LiveConfig>;
  /** Its hypervisor does not answer: what the guest has cannot be seen. */
  readonly silent?: true;
  readonly fleet?: string | null;
  readonly generation?: number;
  readonly serial?: number;
  readonly endedBy?: VmReport["endedBy"];
  readonly reason?: string | null;
  readonly restart?: RestartState;
  readonly migration?: MigrationState;
  /** Names of the disks that were made; left out: the agent does not say. */
  readonly disks?: readonly string[];
  readonly images?: readonly ImageBelow[];
  readonly stalled?: VmReport["stalled"];
  readonly owed?: VmReport["owed"];
  readonly movable?: VmReport["movable"];
  readonly left?: VmReport["left"];
}

export class WorldBuilder {
  #vms = new Map<string, VmReport[]>();
  #tombstones = new Map<string, Tombstone[]>();
  #silent = new Set<string>();
  #told = new Map<string, Whereabouts>();
  #histories = new Map<string, readonly VmHistory[]>();
  #nameless = new Set<string>();
  #unreadable = new Map<string, UnreadableVm[]>();
  #able = new Map<string, HypervisorCapabilities>();
  #sends = new Set<string>();
  #carries = new Set<string>();
  #names: readonly NodeName[];
  #capacities: ReadonlyMap<string, { cpus: number; memoryMiB: number }>;

  constructor(names: readonly NodeName[], capacities: ReadonlyMap<string, { cpus: number; memoryMiB: number }>) {
    this.#names = names;
    this.#capacities = capacities;
  }

  has(vm: string, on: string, input: SeenInput = {}): this {
    const {
      spec = aSpec(),
      phase = "running",
      live,
      fleet = "test",
      generation = 1,
      serial = 1,
      endedBy = null,
      reason = null,
      silent = false,
      restart,
      migration,
      left,
      disks,
      images,
      owed,
      stalled,
      movable,
    } = input;
    const known = (this.#vms.get(on) ?? []).filter((each) => each.name !== vm);
    const isUp = phase === "running" || phase === "paused";
    const seen = isUp && !silent ? { ...toLiveConfig(spec), ...live } : null;
    const report: VmReport = {
      name: vmName(vm),
      fleet,
      generation,
      serial,
      phase,
      endedBy: endedBy ?? (phase === "crashed" ? "failure" : null),
      reason,
      ready: null,
      since: NOON,
      spec,
      specDigest: digestOf(spec),
      commit: null,
      appliedAt: NOON,
      live: seen,
      drift:
        seen === null ? [] : compareLive(seen, spec).map(({ path, from, to }) => ({ path, applied: to, live: from })),
      pid: null,
      ...(restart === undefined ? {} : { restart }),
      ...(migration === undefined ? {} : { migration }),
      ...(left === undefined ? {} : { left }),
      ...(disks === undefined ? {} : { disks }),
      ...(images === undefined ? {} : { images }),
      ...(owed === undefined ? {} : { owed }),
      ...(stalled === undefined ? {} : { stalled }),
      ...(movable === undefined ? {} : { movable }),
    };
    this.#vms.set(on, [...known, report]);
    return this;
  }

  lost(vm: string, on: string): this {
    this.#vms.set(
      on,
      (this.#vms.get(on) ?? []).filter((each) => each.name !== vm),
    );
    return this;
  }

  keeps(
    vm: string,
    on: string,
    disks: readonly string[],
    generation = 1,
    { fleet = "test", deletedAt = NOON }: { readonly fleet?: string | null; readonly deletedAt?: Instant } = {},
  ): this {
    const tombstone = {
      name: vmName(vm),
      fleet,
      generation,
      serial: 5,
      deletedAt,
      retainUntil: NOON,
      disks,
    };
    this.#tombstones.set(on, [...(this.#tombstones.get(on) ?? []), tombstone]);
    return this;
  }

  /** How long things took there. */
  remembers(node: string, history: readonly VmHistory[]): this {
    this.#histories.set(node, history);
    return this;
  }

  /** What an apply told the nodes: where the VMs were. */
  told(homes: Readonly<Record<string, string>>, at = NOON, ...nodes: string[]): this {
    for (const node of nodes.length > 0 ? nodes : this.#names) {
      this.#told.set(node, { fleet: "test", at, homes: homes as Whereabouts["homes"] });
    }
    return this;
  }

  /** The same with what only some know: serials, ids. To all nodes. */
  noted(note: Partial<Whereabouts>): this {
    for (const node of this.#names) this.#told.set(node, { fleet: "test", at: NOON, homes: {}, ...note });
    return this;
  }

  /** One of the VMs there has no name that could be read. */
  namesNot(node: string): this {
    this.#nameless.add(node);
    return this;
  }

  /** A guest of this VM runs there that no record explains. */
  holds(vm: string, on: string): this {
    const held = { name: vmName(vm), problem: "process 4711 runs, and no record here knows of it", held: true };
    this.#unreadable.set(on, [...(this.#unreadable.get(on) ?? []), held]);
    return this;
  }

  silent(...nodes: string[]): this {
    for (const node of nodes) this.#silent.add(node);
    return this;
  }

  /** The hypervisors of these nodes send guests and take them in. */
  sends(...nodes: string[]): this {
    for (const node of nodes) this.#sends.add(node);
    return this;
  }

  /** Their agents take VMs that are off, with their disks. */
  carries(...nodes: string[]): this {
    for (const node of nodes) this.#carries.add(node);
    return this;
  }

  able(node: string, live: Partial<HypervisorCapabilities["live"]>): this {
    this.#able.set(node, { ...ABLE, live: { ...ABLE.live, ...live } });
    return this;
  }

  observed(): ObservedState {
    const nodes = [...this.#names].sort(byName).map((name): ObservedNode => {
      if (this.#silent.has(name)) return { name, reach: "silent", error: "connection refused" };
      return { name, reach: "answered", report: this.#report(name) };
    });
    return { at: NOON, nodes };
  }

  #moves(name: NodeName): Pick<HypervisorCapabilities, "moves"> {
    const live = this.#sends.has(name);
    const cold = this.#carries.has(name);
    return live || cold ? { moves: { live, ownDisks: live, ...(cold ? { cold } : {}) } } : {};
  }

  #report(name: NodeName): NodeReport {
    const sorted = <Item extends { name: VmName }>(items: readonly Item[]) =>
      [...items].sort((a, b) => byName(a.name, b.name));
    return {
      apiVersion: 1,
      at: NOON,
      node: { name, id: `id-${name}`, agentVersion: "0.1.0", bootId: "boot-1", startedAt: NOON },
      capacity: this.#capacities.get(name) ?? { cpus: 16, memoryMiB: 16384 },
      hypervisors: [
        {
          kind: "noop",
          version: "1",
          capabilities: {
            ...(this.#able.get(name) ?? ABLE),
            ...this.#moves(name),
          },
        },
      ],
      vms: sorted(this.#vms.get(name) ?? []),
      tombstones: sorted(this.#tombstones.get(name) ?? []),
      unfinished: [],
      ...(this.#unreadable.has(name) ? { unreadable: sorted(this.#unreadable.get(name) ?? []) } : {}),
      ...(this.#nameless.has(name) ? { illegible: 1 } : {}),
      ...(this.#histories.has(name) ? { history: this.#histories.get(name)! } : {}),
      ...(this.#told.has(name) ? { whereabouts: [this.#told.get(name)!] } : {}),
    };
  }
}

export const aFleet = (): FleetBuilder => new FleetBuilder();

export interface PlanOptions extends Partial<Allowances> {
  readonly selection?: Selection;
  /** When the world was seen: noon, unless another time is said. */
  readonly at?: Instant;
}

export const planOf = (
  fleet: FleetBuilder,
  world: WorldBuilder,
  { selection, maxClass = null, allowDestroy = null, outsideWindows = false, at = NOON }: PlanOptions = {},
): Plan =>
  makePlan({
    desired: fleet.desired(),
    observed: { ...world.observed(), at },
    source: "test",
    commit: null,
    selection: selection ?? null,
    allowances: { maxClass, allowDestroy, ...(outsideWindows ? { outsideWindows } : {}) },
  });
