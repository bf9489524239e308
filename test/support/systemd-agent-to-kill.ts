/**
 * An agent in a process of its own, with units of systemd for its guests, that stands still for a VM at whatever boundary it is
 * told to, and kills itself with SIGKILL when it is told to. To each VM it is as if the agent had died where it stood still,
 * so that many boundaries are dealt with by one kill. Started by `a-node-to-kill.ts`: node systemd-agent-to-kill.ts <folder> <bus> <double>
 */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Consoles } from "../../src/agent/console/consoles.ts";
import { createCloudHypervisor } from "../../src/agent/hypervisor/cloud-hypervisor/driver.ts";
import type { Hypervisor } from "../../src/agent/hypervisor/hypervisor.ts";
import { createQemuHypervisor } from "../../src/agent/hypervisor/qemu/driver.ts";
import { readBootId } from "../../src/agent/inventory/inventory.ts";
import { createLifecycle } from "../../src/agent/lifecycle/service.ts";
import { diskStorage } from "../../src/agent/storage/disk-storage.ts";
import { openVmStore } from "../../src/agent/store/vm-store.ts";
import { createSystemdSupervisor } from "../../src/agent/supervisor/systemd/systemd-supervisor.ts";
import { nodeName, type VmName } from "../../src/model/names.ts";
import type { NodeReport } from "../../src/model/observed-state.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { lockDataFolder } from "../../src/platform/lock-folder.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import type { OperationRequest, OperationResult, PutVmRequest } from "../../src/wire/operations.ts";
import { mortal } from "./mortal-parts.ts";
import { mortalSockets } from "./mortal-sockets.ts";
import { TINY_GUEST } from "./qemu-world.ts";

export type Asked =
  | { readonly ask: "report" }
  | { readonly ask: "put"; readonly vm: VmName; readonly request: PutVmRequest }
  | { readonly ask: "operate"; readonly vm: VmName; readonly request: OperationRequest }
  /** From now on: stands still at the n-th boundary of these VMs, counted from 1. */
  | { readonly ask: "stand-still"; readonly at: Readonly<Record<string, number>> }
  | { readonly ask: "die" };

export type Told =
  | { readonly told: "ready" }
  | { readonly told: "stands-still"; readonly vm: string; readonly boundary: string }
  | { readonly told: "answer"; readonly id: number; readonly answer: OperationResult | NodeReport | null }
  | { readonly told: "refusal"; readonly id: number; readonly code: string; readonly message: string };

const [folder, bus, double] = process.argv.slice(2) as [string, string, string];
const tell = (told: Told): void => void process.send?.(told);
// Nobody is left who could kill it.
process.once("disconnect", () => process.exit());

const left = new Map<string, number>();
/** One boundary further; true: it stands still from now on. */
function standsStill(boundary: string, vm: string): boolean {
  const here = left.get(vm);
  if (here === undefined) return false;
  left.set(vm, here - 1);
  if (here === 1) tell({ told: "stands-still", vm, boundary });
  return here <= 1;
}
mortalSockets(
  (path) => /\/vms\/([^/]+)\/(?:ch|qmp)\.sock$/.exec(path)?.[1] ?? null,
  (vm) => standsStill("api.write:before", vm),
);

const folders = { dataFolder: join(folder, "d"), runFolder: join(folder, "r") };
for (const each of Object.values(folders)) await mkdir(each, { recursive: true, mode: 0o700 });
await mkdir(join(folder, "s"), { recursive: true });
await lockDataFolder(folders.dataFolder);
const lifecycle = await createLifecycle({
  node: { name: nodeName("n1"), id: "id", agentVersion: "0", bootId: await readBootId() },
  capacity: { cpus: 1000, memoryMiB: 1_000_000 },
  clock: systemClock,
  consoles: new Consoles({ logger: silentLogger }),
  allowedRoots: [join(folder, "s")],
  ...folders,
  ...mortal(
    {
      store: await openVmStore(folders),
      storage: diskStorage,
      supervisor: createSystemdSupervisor({ bus, user: null, hidden: Object.values(folders), log: silentLogger }),
      hypervisors: [
        reading(
          dirname(double),
          createCloudHypervisor({
            executable: double,
            seccomp: "true",
            landlock: false,
            tinyGuest: TINY_GUEST,
            clock: systemClock,
          }),
        ),
        createQemuHypervisor({
          executable: "qemu-system-x86_64",
          accelerator: "tcg",
          tinyGuest: TINY_GUEST,
          cacheFile: join(folder, "qemu.json"),
          clock: systemClock,
        }),
      ],
    },
    async (boundary, vm) => {
      if (standsStill(boundary, vm)) await new Promise(() => {});
    },
  ),
});

/** The double is a folder of scripts, and units see none of /tmp but what they need. */
function reading(folder: string, hypervisor: Hypervisor): Hypervisor {
  return {
    ...hypervisor,
    compile(vm) {
      const command = hypervisor.compile(vm);
      return command && { ...command, needs: { ...command.needs, reads: [...command.needs.reads, folder] } };
    },
  };
}

const NEVER = new AbortController().signal;

async function answerTo(asked: Asked): Promise<OperationResult | NodeReport | null> {
  switch (asked.ask) {
    case "report":
      return lifecycle.report(NEVER);
    case "put":
      return lifecycle.putVm(asked.vm, asked.request, NEVER);
    case "operate":
      return lifecycle.operate(asked.vm, asked.request, NEVER);
    case "stand-still":
      left.clear();
      for (const [vm, boundary] of Object.entries(asked.at)) left.set(vm, boundary);
      return null;
    case "die":
      process.kill(process.pid, "SIGKILL");
      return new Promise(() => {});
  }
}

process.on("message", ({ id, ...asked }: Asked & { readonly id: number }) => {
  answerTo(asked as Asked).then(
    (answer) => tell({ told: "answer", id, answer }),
    ({ code = "?", message }: { code?: string; message: string }) => tell({ told: "refusal", id, code, message }),
  );
});
tell({ told: "ready" });
