/**
 * Parts of an agent that can die at any boundary: between any two acts on the world outside. A dead agent never does
 * anything again and never answers, as after SIGKILL; what it did before stands.
 */
import { basename, dirname } from "node:path";
import type { Hypervisor, RunningVm } from "../../src/agent/hypervisor/hypervisor.ts";
import type { VmPaths } from "../../src/agent/launch-command.ts";
import type { LifecycleOptions } from "../../src/agent/lifecycle/service.ts";
import type { StoredVm } from "../../src/agent/store/vm-record.ts";
import type { ProcessHandle } from "../../src/agent/supervisor/supervisor.ts";

type Mortal = Pick<LifecycleOptions, "hypervisors" | "supervisor"> &
  Required<Pick<LifecycleOptions, "store" | "storage">>;

/** Called at each boundary with its name and its VM's (empty: not known); a promise that never resolves is death. */
export type AtBoundary = (name: string, vm: string) => Promise<void>;

export const mortal = (parts: Mortal, at: AtBoundary): Mortal => ({
  store: guarded(parts.store, "store", ["save", "saveTexts", "keepOnlyTexts", "remove"], at, ([vm]) =>
    typeof vm === "string" ? vm : (vm as StoredVm).name,
  ),
  storage: guarded(parts.storage, "storage", ["ensure", "setAside"], at, ([paths]) =>
    basename(dirname((paths as VmPaths).diskFolder)),
  ),
  supervisor: guarded(parts.supervisor, "supervisor", ["start", "stop", "adjust"], at, ([vm]) =>
    typeof vm === "string" ? vm : (/@(.+)\.service$/.exec((vm as ProcessHandle).unit ?? "")?.[1] ?? ""),
  ),
  hypervisors: parts.hypervisors.map((each) => mortalHypervisor(each, at)),
});

const mortalHypervisor = (hypervisor: Hypervisor, at: AtBoundary): Hypervisor => ({
  ...hypervisor,
  async connect(vm, options) {
    await at(`connect:before${options.fresh ? ":fresh" : ""}`, vm.name);
    const running = await hypervisor.connect(vm, options);
    await at(`connect:after${options.fresh ? ":fresh" : ""}`, vm.name);
    return mortalGuest(running, at, vm.name);
  },
  ...(hypervisor.receive === undefined
    ? {}
    : {
        async receive(vm, options) {
          await at("receive:before", vm.name);
          const { url, arrived } = await (hypervisor.receive as NonNullable<Hypervisor["receive"]>)(vm, options);
          // Whoever is dead hears of nothing.
          arrived.catch(() => {});
          await at("receive:after", vm.name);
          return { url, arrived: arrived.then((running) => mortalGuest(running, at, vm.name)) };
        },
      }),
});

function mortalGuest(running: RunningVm, at: AtBoundary, vm: string): RunningVm {
  const acts = ["powerButton", "pause", "resume", "update", "quit"] as const;
  const abilities = ["nmi", "coredump", "snapshot", "setBalloon", "migrate", "raw"] as const;
  const guest = guarded<RunningVm, (typeof acts)[number]>(running, "guest", acts, at, () => vm);
  const able = guarded(running.abilities, "ability", abilities, at, () => vm);
  return new Proxy(guest, {
    get: (target, property) => (property === "abilities" ? able : Reflect.get(target, property)),
  });
}

function guarded<Target extends object, Method extends keyof Target & string>(
  target: Target,
  what: string,
  methods: readonly Method[],
  at: AtBoundary,
  vmOf: (args: readonly unknown[]) => string,
): Target {
  return new Proxy(target, {
    get(_, property) {
      const value = Reflect.get(target, property, target) as unknown;
      if (typeof value !== "function") return value;
      if (!methods.includes(property as Method)) return value.bind(target);
      return async (...args: unknown[]) => {
        const vm = vmOf(args);
        await at(`${what}.${String(property)}:before`, vm);
        const result = await (value as (...args: unknown[]) => unknown).apply(target, args);
        await at(`${what}.${String(property)}:after`, vm);
        return result;
      };
    },
  });
}

/** Counts boundaries and dies at one of them. */
export class Mortality {
  dieAt = Number.POSITIVE_INFINITY;
  readonly passed: string[] = [];
  #dead: (() => void) | null = null;
  /** Resolves at death. */
  readonly death: Promise<void>;

  constructor() {
    this.death = new Promise((resolve) => {
      this.#dead = resolve;
    });
  }

  readonly at: AtBoundary = async (name) => {
    if (this.passed.length >= this.dieAt) return new Promise<void>(() => {});
    this.passed.push(name);
    if (this.passed.length < this.dieAt) return;
    this.#dead?.();
    return new Promise<void>(() => {});
  };
}
