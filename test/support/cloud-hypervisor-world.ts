/**
 * Guests on Cloud Hypervisor (a real one or the double), with the agent's own parts but no agent: compile, disks, spawn
 * supervisor, API. Everything that was started ends with the world.
 *
 *   await using world = await aCloudHypervisorWorld();
 *   const guest = await world.boot("web-1", { cpus: { count: 1, max: 2 } });
 *   await guest.says(/COUNTER 3/);
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { SerialLine } from "../../src/agent/console/serial-line.ts";
import { createCloudHypervisor } from "../../src/agent/hypervisor/cloud-hypervisor/driver.ts";
import type { Hypervisor, HypervisorEvent, LaunchInput, RunningVm } from "../../src/agent/hypervisor/hypervisor.ts";
import type { VmPaths } from "../../src/agent/launch-command.ts";
import { diskStorage } from "../../src/agent/storage/disk-storage.ts";
import { writeSeedImage } from "../../src/agent/storage/seed-image.ts";
import { createSpawnSupervisor } from "../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import type { ProcessHandle, Supervisor } from "../../src/agent/supervisor/supervisor.ts";
import type { HypervisorReport } from "../../src/model/observed-state.ts";
import type { VmSpec } from "../../src/model/vm-spec.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { aSpec } from "./a-fleet.ts";
import { cloudHypervisorForTests, tellGuest } from "./cloud-hypervisor.ts";
import { patience, TINY_GUEST } from "./qemu-world.ts";
import { aTempFolder } from "./temp-folder.ts";
import { until } from "./until.ts";

/** Generous: the machine runs other tests at the same time. */
const GUEST_MS = 15_000;

type Wanted = NonNullable<Parameters<typeof cloudHypervisorForTests>[0]>;

export interface WorldSettings extends Wanted {
  /** How long a guest may take to let go of a device. */
  readonly removalMs?: number;
  readonly landlock?: boolean;
}

export interface CloudHypervisorWorld extends AsyncDisposable {
  readonly folder: string;
  readonly executable: string;
  readonly isReal: boolean;
  readonly hypervisor: Hypervisor;
  readonly report: HypervisorReport;
  readonly supervisor: Supervisor;
  /** What a VM of this name would be given; its folders are there. */
  input(name: string, over?: Partial<VmSpec>): Promise<LaunchInput>;
  boot(name: string, over?: Partial<VmSpec>): Promise<TestGuest>;
  restore(name: string, folder: string, over?: Partial<VmSpec>): Promise<TestGuest>;
  /** A process for this VM, and nothing in it. */
  start(input: LaunchInput): Promise<ProcessHandle>;
  /** Takes over what came in by itself. */
  adopt(input: LaunchInput, process: ProcessHandle, running: RunningVm): Promise<TestGuest>;
}

export interface TestGuest {
  readonly input: LaunchInput;
  readonly process: ProcessHandle;
  /** The connection of the agent that looks after it now. */
  running: RunningVm;
  /** What that agent was told. */
  readonly told: HypervisorEvent[];
  /** How often its status may have changed, since the connection was made. */
  readonly changes: () => number;
  /** All that the guest said on its serial line so far. */
  said(): string;
  says(pattern: RegExp): Promise<void>;
  types(text: string): void;
  /** The double's guest does something. */
  does(line: string): Promise<void>;
  /** Drops the connection; the guest goes on. */
  leave(): Promise<void>;
  /** Makes a new one, as an agent that was killed and started again. */
  reconnect(bootedSpec?: VmSpec): Promise<void>;
}

export async function aCloudHypervisorWorld(settings: WorldSettings = {}): Promise<CloudHypervisorWorld> {
  const { removalMs = GUEST_MS, landlock = false, ...wanted } = settings;
  await using opened = new AsyncDisposableStack();
  const binary = opened.use(await cloudHypervisorForTests(wanted));
  const temp = opened.use(await aTempFolder());
  /** Of what is started in it. */
  const life = opened.use(new AsyncDisposableStack());
  const hypervisor = createCloudHypervisor({
    executable: binary.executable,
    seccomp: "true",
    landlock,
    tinyGuest: TINY_GUEST,
    clock: systemClock,
    removalMs,
  });
  const report = await hypervisor.probe(patience());
  if (report === null) throw new Error(`${binary.executable} is no Cloud Hypervisor`);
  const supervisor = createSpawnSupervisor();

  const start: CloudHypervisorWorld["start"] = async (input) => {
    await diskStorage.ensure(input.paths, input.spec.disks, { kind: "real", grow: true, signal: patience() });
    await writeSeedImage(input);
    const command = hypervisor.compile(input);
    if (command === null) throw new Error("Cloud Hypervisor needs a process");
    const process = await supervisor.start(input.name, command, patience());
    life.defer(() => supervisor.stop(process, 0));
    return process;
  };
  const adopt: CloudHypervisorWorld["adopt"] = async (input, process, running) => {
    const guest = aGuest(input, process, running, hypervisor);
    life.defer(() => guest.leave());
    return guest;
  };
  const begin = async (name: string, over: Partial<VmSpec>, fromSnapshot?: string): Promise<TestGuest> => {
    const input = await anInput(temp.path, name, over);
    const process = await start(input);
    const running = await hypervisor.connect(input, {
      fresh: true,
      signal: patience(),
      ...(fromSnapshot === undefined ? {} : { fromSnapshot }),
    });
    return adopt(input, process, running);
  };

  const world = opened.move();
  return {
    folder: temp.path,
    executable: binary.executable,
    isReal: binary.isReal,
    hypervisor,
    report,
    supervisor,
    input: (name, over = {}) => anInput(temp.path, name, over),
    boot: (name, over = {}) => begin(name, over),
    restore: (name, folder, over = {}) => begin(name, over, folder),
    start,
    adopt,
    [Symbol.asyncDispose]: () => world.disposeAsync(),
  };
}

export function pathsOf(folder: string, name: string): VmPaths {
  return {
    runFolder: join(folder, name, "run"),
    diskFolder: join(folder, name, "disks"),
    logFolder: join(folder, name, "log"),
  };
}

/** Of every machine here. */
export const UUID = "0b0d0e0f-0001-8002-8003-0a0b0c0d0e0f";

async function anInput(folder: string, name: string, over: Partial<VmSpec>): Promise<LaunchInput> {
  const paths = pathsOf(folder, name);
  for (const path of Object.values(paths)) await mkdir(path, { recursive: true });
  return { name, spec: aCloudHypervisorSpec(over), paths, files: new Map(), uuid: UUID };
}

/** Small, with the tiny guest in it. */
export const aCloudHypervisorSpec = (over: Partial<VmSpec> = {}): VmSpec =>
  aSpec({
    hypervisor: "cloud-hypervisor",
    memory: { sizeMiB: 64, maxMiB: 64 },
    boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
    ...over,
  });

function aGuest(input: LaunchInput, process: ProcessHandle, first: RunningVm, hypervisor: Hypervisor): TestGuest {
  let said = "";
  let changes = 0;
  let left = false;
  const told: HypervisorEvent[] = [];
  // It ends with the guest, and at each of its reboots another begins.
  const line = new SerialLine(
    { kind: "stream", find: async () => (first.serial?.kind === "stream" ? first.serial.find() : "none") },
    {
      connected: () => {},
      received: (bytes) => {
        said += bytes.toString("latin1");
      },
      writable: () => {},
      lost: () => {},
    },
  );
  line.open();
  const listen = (running: RunningVm) => {
    running.onChange(() => changes++);
    running.onEvent?.((event) => told.push(event));
  };
  listen(first);
  const guest: TestGuest = {
    input,
    process,
    running: first,
    told,
    changes: () => changes,
    said: () => said,
    says: (pattern) => until(`${input.name} says ${pattern}`, () => pattern.test(said), GUEST_MS),
    types: (text) => void line.write(Buffer.from(text, "latin1")),
    does: (command) => tellGuest(process.pid, command),
    async leave() {
      if (left) return;
      left = true;
      await line.cut();
      await guest.running[Symbol.asyncDispose]();
    },
    async reconnect(bootedSpec = input.spec) {
      await guest.running[Symbol.asyncDispose]();
      guest.running = await hypervisor.connect({ ...input, spec: bootedSpec }, { fresh: false, signal: patience() });
      left = false;
      listen(guest.running);
    },
  };
  return guest;
}

/** Last words of the process, for a test that fails. */
export const outputOf = (input: LaunchInput): Promise<string> =>
  readFile(join(input.paths.logFolder, "cloud-hypervisor.log"), "utf8");
