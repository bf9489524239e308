/**
 * Real guests on a real QEMU (TCG), with the agent's own parts but no agent: compile, disks, spawn supervisor, QMP.
 * Everything that was started ends with the world.
 *
 *   await using world = await aQemuWorld();
 *   const guest = await world.boot("web-1", { cpus: { count: 1, max: 2 } });
 *   await guest.says(/COUNTER 3/);
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Hypervisor, LaunchInput, RunningVm } from "../../src/agent/hypervisor/hypervisor.ts";
import { createQemuHypervisor } from "../../src/agent/hypervisor/qemu/driver.ts";
import { diskStorage } from "../../src/agent/storage/disk-storage.ts";
import { writeSeedImage } from "../../src/agent/storage/seed-image.ts";
import { createSpawnSupervisor } from "../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import type { ProcessHandle, Supervisor } from "../../src/agent/supervisor/supervisor.ts";
import { type Digest, digest } from "../../src/model/names.ts";
import type { VmSpec } from "../../src/model/vm-spec.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { PACKAGE_ROOT } from "../../src/platform/package-root.ts";
import { aSpec } from "./a-fleet.ts";
import { aTempFolder } from "./temp-folder.ts";
import { until } from "./until.ts";

export const TINY_GUEST = fileURLToPath(new URL("guest/tiny.elf", PACKAGE_ROOT));

/** Generous: the machine runs other tests at the same time. */
const GUEST_MS = 15_000;
export const patience = (): AbortSignal => AbortSignal.timeout(GUEST_MS);

export interface QemuWorld extends AsyncDisposable {
  readonly folder: string;
  readonly hypervisor: Hypervisor;
  readonly supervisor: Supervisor;
  /** What a VM of this name would be given; its folders are there. */
  input(name: string, over?: Partial<VmSpec>, files?: Readonly<Record<string, string>>): Promise<LaunchInput>;
  /** A process for it. `change`: what an agent of before would have told QEMU instead. */
  start(input: LaunchInput, change?: (args: readonly string[]) => readonly string[]): Promise<void>;
  /** As an agent that finds it running. */
  adopt(input: LaunchInput): Promise<TestGuest>;
  boot(name: string, over?: Partial<VmSpec>, files?: Readonly<Record<string, string>>): Promise<TestGuest>;
}

export interface TestGuest {
  readonly input: LaunchInput;
  readonly process: ProcessHandle;
  /** The connection of the agent that looks after it now. */
  running: RunningVm;
  /** All that the guest said so far. */
  log(): Promise<string>;
  /** Waits until it said so; gives the match. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** The last number it counted to; -1 before the first. */
  counter(): Promise<number>;
  /** Types into its serial line. */
  types(text: string): Promise<void>;
  /** Drops the connection and makes a new one, as an agent that was killed and started again. */
  reconnect(bootedSpec?: VmSpec): Promise<void>;
}

export async function aQemuWorld(detachMs = GUEST_MS): Promise<QemuWorld> {
  const temp = await aTempFolder();
  const hypervisor = createQemuHypervisor({
    executable: "qemu-system-x86_64",
    accelerator: "tcg",
    tinyGuest: TINY_GUEST,
    cacheFile: null,
    clock: systemClock,
    detachMs,
  });
  await hypervisor.probe(patience());
  const supervisor = createSpawnSupervisor();
  const guests: TestGuest[] = [];
  const processes = new Map<string, ProcessHandle>();
  const start: QemuWorld["start"] = async (input, change = (args) => args) => {
    await diskStorage.ensure(input.paths, input.spec.disks, { kind: "real", grow: true, signal: patience() });
    await writeSeedImage(input);
    const command = hypervisor.compile(input);
    if (command === null) throw new Error("QEMU needs a process");
    const changed = { ...command, args: change(command.args) };
    processes.set(input.name, await supervisor.start(input.name, changed, patience()));
  };
  const connect = async (input: LaunchInput, fresh: boolean): Promise<TestGuest> => {
    const process = processes.get(input.name);
    if (process === undefined) throw new Error(`${input.name} was not started`);
    const running = await hypervisor.connect(input, { fresh, signal: patience() });
    const guest = aGuest(input, process, running, hypervisor);
    guests.push(guest);
    return guest;
  };
  return {
    folder: temp.path,
    hypervisor,
    supervisor,
    async boot(name, over = {}, files = {}) {
      const input = await anInput(temp.path, name, over, files);
      await start(input);
      try {
        return await connect(input, true);
      } catch (error) {
        const output = await readFile(join(input.paths.logFolder, "qemu.log"), "utf8");
        throw new Error(`${name} did not start: ${output}`, { cause: error });
      }
    },
    input: (name, over = {}, files = {}) => anInput(temp.path, name, over, files),
    start,
    adopt: (input) => connect(input, false),
    async [Symbol.asyncDispose]() {
      for (const guest of guests) await guest.running[Symbol.asyncDispose]();
      for (const process of processes.values()) await supervisor.stop(process, 0);
      await temp[Symbol.asyncDispose]();
    },
  };
}

async function anInput(
  folder: string,
  name: string,
  over: Partial<VmSpec>,
  files: Readonly<Record<string, string>>,
): Promise<LaunchInput> {
  const paths = {
    runFolder: join(folder, name, "run"),
    diskFolder: join(folder, name, "disks"),
    logFolder: join(folder, name, "log"),
  };
  for (const path of Object.values(paths)) await mkdir(path, { recursive: true });
  const spec = aSpec({ hypervisor: "qemu", memory: { sizeMiB: 32, maxMiB: 32 }, ...over });
  const contents = new Map<Digest, string>(Object.entries(files).map(([hex, text]) => [digest(hex), text]));
  return { name, spec, paths, files: contents, uuid: "0b0d0e0f-0001-8002-8003-0a0b0c0d0e0f" };
}

function aGuest(input: LaunchInput, process: ProcessHandle, first: RunningVm, hypervisor: Hypervisor): TestGuest {
  const guest: TestGuest = {
    input,
    process,
    running: first,
    log: () => readFile(first.consoleLog ?? "", "latin1").catch(() => ""),
    async says(pattern) {
      let match: RegExpExecArray | null = null;
      const said = async () => {
        match = pattern.exec(await guest.log());
        return match !== null;
      };
      await until(`${input.name} says ${pattern}`, said, GUEST_MS);
      return match as unknown as RegExpExecArray;
    },
    async counter() {
      return Number([...(await guest.log()).matchAll(/COUNTER (\d+)\s/g)].at(-1)?.[1] ?? -1);
    },
    async types(text) {
      const { serial } = guest.running;
      if (serial?.kind !== "logged" || serial.input === null) throw new Error(`${input.name} has no input`);
      await writeFile(serial.input, text);
    },
    async reconnect(bootedSpec = input.spec) {
      await guest.running[Symbol.asyncDispose]();
      guest.running = await hypervisor.connect({ ...input, spec: bootedSpec }, { fresh: false, signal: patience() });
    },
  };
  return guest;
}
