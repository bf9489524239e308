/**
 * An agent in a process of its own that stands still where its parent says, in the middle of a move: to be killed there, or to have something else
 * break under it. Everything is real but the moment.
 *
 *   node moving-agent.ts <name> <folder> <qemu|noop|path of a cloud-hypervisor>
 *
 * Parent → { stand: [boundary, vm] } · { go: true }     Child → { ready: url } · { stands: boundary, vm }
 */
import { join } from "node:path";
import { parseAgentConfig } from "../../src/agent/config.ts";
import { Consoles } from "../../src/agent/console/consoles.ts";
import { openFront } from "../../src/agent/http/front.ts";
import { createCloudHypervisor } from "../../src/agent/hypervisor/cloud-hypervisor/driver.ts";
import type { Admission, Hypervisor, OutgoingGuest, RunningVm } from "../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../src/agent/hypervisor/noop/driver.ts";
import { createQemuHypervisor } from "../../src/agent/hypervisor/qemu/driver.ts";
import { createLifecycle } from "../../src/agent/lifecycle/service.ts";
import { AgentMetrics } from "../../src/agent/metrics/agent-metrics.ts";
import { openReserve } from "../../src/agent/store/reserve.ts";
import type { StoredVm } from "../../src/agent/store/vm-record.ts";
import { openVmStore } from "../../src/agent/store/vm-store.ts";
import { createSpawnSupervisor } from "../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import { nodeName } from "../../src/model/names.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { TINY_GUEST } from "./qemu-world.ts";

const [name, folder, program] = process.argv.slice(2) as [string, string, string];
const kind = program === "qemu" || program === "noop" ? program : "cloud-hypervisor";
/** By VM: where it is to stand still. */
const stands = new Map<string, string>();
const standing: (() => void)[] = [];

process.on("message", (message: { stand?: [string, string]; go?: true }) => {
  if (message.stand !== undefined) stands.set(message.stand[1], message.stand[0]);
  if (message.go) for (const letGo of standing.splice(0)) letGo();
});
process.on("disconnect", () => process.exit(0));

/** Resolves at once, unless this is where it is to stand still. */
async function at(boundary: string, vm: string): Promise<void> {
  if (stands.get(vm) !== boundary) return;
  stands.delete(vm);
  await new Promise<void>((resolve) => {
    standing.push(resolve);
    process.send?.({ stands: boundary, vm });
  });
}

const config = parseAgentConfig({
  name,
  listen: [`unix://${join(folder, `${name}.sock`)}`],
  data: join(folder, name, "d"),
  run: join(folder, name, "r"),
  hypervisor: [kind],
  logLevel: "silent",
} as never);

const make = {
  noop: () => createNoopHypervisor({ clock: systemClock }),
  qemu: () =>
    createQemuHypervisor({
      executable: "qemu-system-x86_64",
      accelerator: "tcg",
      tinyGuest: TINY_GUEST,
      cacheFile: null,
      clock: systemClock,
    }),
  "cloud-hypervisor": () =>
    createCloudHypervisor({
      executable: program,
      seccomp: "true",
      landlock: false,
      tinyGuest: TINY_GUEST,
      clock: systemClock,
    }),
};
const real = make[kind]();

const hypervisor: Hypervisor = {
  ...real,
  async connect(vm, options) {
    return wrapGuest(await real.connect(vm, options), vm.name);
  },
  async admit(vm, options) {
    await at("admit:before", vm.name);
    const admission = await (real.admit as NonNullable<Hypervisor["admit"]>)(vm, options);
    return wrapAdmission(admission, vm.name);
  },
};

const wrapAdmission = (admission: Admission, vm: string): Admission => ({
  ...admission,
  async take(options, signal) {
    await at("take:before", vm);
    const running = await admission.take(options, signal);
    await at("take:after", vm);
    return wrapGuest(running, vm);
  },
});

function wrapGuest(running: RunningVm, vm: string): RunningVm {
  const depart = running.abilities.depart as OutgoingGuest;
  const wrapped: OutgoingGuest = {
    ...depart,
    async send(passage, signal) {
      await at("send:before", vm);
      const sent = await depart.send(
        {
          ...passage,
          async open(channel) {
            const stream = await passage.open(channel);
            if (channel === "memory") await at("memory", vm);
            return stream;
          },
          async disksDone() {
            await at("switchover", vm);
            return passage.disksDone();
          },
          async freeze(calledOff) {
            await at("freeze:before", vm);
            await passage.freeze(calledOff);
            await at("freeze:after", vm);
          },
        },
        signal,
      );
      await at("send:after", vm);
      return sent;
    },
  };
  return new Proxy(running, {
    get(target, property) {
      if (property === "abilities") return { ...target.abilities, depart: wrapped };
      const value = Reflect.get(target, property, target);
      if (property === "quit")
        return async (signal: AbortSignal) => {
          await at("quit:before", vm);
          return target.quit(signal);
        };
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const folders = { dataFolder: config.dataFolder, runFolder: config.runFolder };
const { mkdir } = await import("node:fs/promises");
await mkdir(config.dataFolder, { recursive: true });
await mkdir(config.runFolder, { recursive: true });
const store = await openVmStore({ ...folders, reserve: await openReserve(config.dataFolder) });
const stageOf = (record: StoredVm): string =>
  record.state !== "present" ? record.state : (record.move?.stage ?? record.migration?.stage ?? "none");

const consoles = new Consoles({ logger: silentLogger });
const lifecycle = await createLifecycle({
  node: { name: nodeName(name), id: `id-${name}`, agentVersion: "0", bootId: "this-boot" },
  capacity: { cpus: 8, memoryMiB: 8192 },
  hypervisors: [hypervisor],
  supervisor: createSpawnSupervisor(),
  ...folders,
  clock: systemClock,
  consoles,
  store: {
    ...store,
    async save(record, options) {
      await at(`save:${stageOf(record)}:before`, record.name);
      await store.save(record, options);
      await at(`save:${stageOf(record)}:after`, record.name);
    },
  },
  // All that stand still wait for the last of them to come to its moment, however busy the machine is.
  line: { beatMs: 100, silenceMs: 3_000 },
  settleEveryMs: 50,
  settleMs: 20_000,
  sourceAwayMs: 5_000,
});
const front = await openFront({
  config,
  secrets: { token: null, access: null, tls: null },
  lifecycle,
  consoles,
  version: "0",
  metrics: new AgentMetrics({ nodeName: config.nodeName, version: "0", perVm: false }),
  clock: systemClock,
  log: silentLogger,
});
process.send?.({ ready: front.urls[0] });
