/**
 * An agent's inside as a test wants it: a lifecycle over real folders, with noop guests, or with guests that also have a
 * process in a table. It can be restarted, killed, and its host rebooted.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Hypervisor } from "../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../src/agent/hypervisor/noop/driver.ts";
import { NEEDS_NOTHING } from "../../src/agent/launch-command.ts";
import type { Lifecycle } from "../../src/agent/lifecycle/lifecycle.ts";
import { createLifecycle, type LifecycleOptions } from "../../src/agent/lifecycle/service.ts";
import { createInMemorySupervisor, ProcessTable } from "../../src/agent/supervisor/in-memory/in-memory-supervisor.ts";
import { nodeName, type VmName, vmName } from "../../src/model/names.ts";
import type { VmReport } from "../../src/model/observed-state.ts";
import type { VmSpec } from "../../src/model/vm-spec.ts";
import type { OperationArgs, OperationRequest, OperationResult, PutVmRequest } from "../../src/wire/operations.ts";
import { aClock, type TestClock } from "./a-clock.ts";
import { aTempFolder } from "./temp-folder.ts";
import { aPut, aWireSpec } from "./wire-builders.ts";

export const NEVER = new AbortController().signal;

/** Small, with one disk, no NIC and half a second of patience. */
export const aSpec = (over: Partial<VmSpec> = {}): VmSpec =>
  aWireSpec({
    cpus: { count: 1, max: 4 },
    memory: { sizeMiB: 128, maxMiB: 512 },
    nics: [],
    shutdownGraceSeconds: 0.5,
    ...over,
  });

export interface TestAgent extends AsyncDisposable {
  readonly lifecycle: Lifecycle;
  readonly clock: TestClock;
  readonly processes: ProcessTable;
  readonly dataFolder: string;
  readonly runFolder: string;
  /** Generation 1 unless told. */
  put(name: string, over?: Partial<PutVmRequest>): Promise<OperationResult>;
  /** No conditions unless told. */
  operate(name: string, request: OperationArgs & Partial<OperationRequest>): Promise<OperationResult>;
  boot(name: string): Promise<OperationResult>;
  shutdown(name: string, graceSeconds?: number | null): Promise<OperationResult>;
  vm(name: string): Promise<VmReport>;
  /** The agent ends and starts again; guests live on. */
  restart(change?: Partial<LifecycleOptions>): Promise<void>;
  /** The host too: no process and no run folder is left. */
  rebootHost(change?: Partial<LifecycleOptions>): Promise<void>;
}

export interface TestAgentOptions extends Partial<LifecycleOptions> {
  /** Guests have a process besides their file. */
  readonly processes?: boolean;
}

export async function anAgent(options: TestAgentOptions = {}): Promise<TestAgent> {
  const folder = await aTempFolder();
  const clock = aClock();
  let processes = new ProcessTable("boot-1");
  let lifecycle: Lifecycle;
  let ids = 0;
  const dataFolder = join(folder.path, "data");
  const runFolder = join(folder.path, "run");

  const noop = createNoopHypervisor({ clock });
  const open = (change: Partial<LifecycleOptions> = {}) =>
    createLifecycle({
      node: { name: nodeName("n1"), id: "id-1", agentVersion: "0.1.0", bootId: processes.bootId },
      capacity: { cpus: 8, memoryMiB: 16_384 },
      hypervisors: [options.processes ? withProcess(noop) : noop],
      supervisor: createInMemorySupervisor(processes),
      dataFolder,
      runFolder,
      clock,
      // The clock stands unless a test moves it: what is due is due when the test says so, and is seen at once.
      restartEveryMs: 2,
      ...options,
      ...change,
    });
  lifecycle = await open();

  const agent: TestAgent = {
    get lifecycle() {
      return lifecycle;
    },
    get processes() {
      return processes;
    },
    clock,
    dataFolder,
    runFolder,
    put: (name, over) => lifecycle.putVm(vmName(name), aPut({ id: `put-${++ids}`, spec: aSpec(), ...over }), NEVER),
    operate: (name, request) =>
      lifecycle.operate(vmName(name), { id: `op-${++ids}`, expect: null, ...request } as OperationRequest, NEVER),
    boot: (name) => agent.operate(name, { kind: "boot" }),
    shutdown: (name, graceSeconds = null) => agent.operate(name, { kind: "shutdown", graceSeconds }),
    vm: (name) => lifecycle.vm(name as VmName, NEVER),
    async restart(change) {
      await lifecycle[Symbol.asyncDispose]();
      lifecycle = await open(change);
    },
    async rebootHost(change) {
      await lifecycle[Symbol.asyncDispose]();
      await rm(runFolder, { recursive: true, force: true });
      processes = new ProcessTable(`${processes.bootId}+`);
      lifecycle = await open(change);
    },
    async [Symbol.asyncDispose]() {
      await lifecycle[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
  return agent;
}

/** Noop's guest, and a process that must run for it. */
export const withProcess = (
  noop: Hypervisor,
  process: { readonly executable: string; readonly args: readonly string[] } = { executable: "fake-vmm", args: [] },
): Hypervisor => ({
  ...noop,
  compile(vm) {
    noop.compile(vm);
    return {
      ...process,
      env: {},
      workingFolder: vm.paths.runFolder,
      outputFile: join(vm.paths.logFolder, "vmm.log"),
      staleFiles: [],
      needs: NEEDS_NOTHING,
    };
  },
});
