/** The agent of the kill test, as its victim process and its successor both make it: real files, real processes. */
import { join } from "node:path";
import { createNoopHypervisor } from "../../src/agent/hypervisor/noop/driver.ts";
import type { Lifecycle } from "../../src/agent/lifecycle/lifecycle.ts";
import { createLifecycle } from "../../src/agent/lifecycle/service.ts";
import { diskStorage } from "../../src/agent/storage/disk-storage.ts";
import { openVmStore } from "../../src/agent/store/vm-store.ts";
import { createSpawnSupervisor } from "../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import { nodeName, vmName } from "../../src/model/names.ts";
import { systemClock } from "../../src/platform/clock.ts";
import type { OperationResult } from "../../src/wire/operations.ts";
import { aSpec, NEVER, withProcess } from "./an-agent.ts";
import { type AtBoundary, mortal } from "./mortal-parts.ts";
import { aPut } from "./wire-builders.ts";

export const VICTIM = vmName("web-1");

/** Long enough to outlive any test, short enough to vanish should one forget it. */
const PROCESS = { executable: "sleep", args: ["120"] };

export async function aKillableAgent(
  folder: string,
  guests: "process" | "noop",
  at: AtBoundary = async () => {},
): Promise<Lifecycle> {
  const folders = { dataFolder: join(folder, "d"), runFolder: join(folder, "r") };
  const noop = createNoopHypervisor({ clock: systemClock });
  const parts = mortal(
    {
      store: await openVmStore(folders),
      storage: diskStorage,
      supervisor: createSpawnSupervisor(),
      hypervisors: [guests === "process" ? withProcess(noop, PROCESS) : noop],
    },
    at,
  );
  return createLifecycle({
    node: { name: nodeName("n1"), id: "id", agentVersion: "0", bootId: "this-boot" },
    capacity: { cpus: 1, memoryMiB: 1 },
    clock: systemClock,
    ...folders,
    ...parts,
  });
}

export interface KillStep {
  readonly id: string;
  readonly what: string;
  ask(agent: Lifecycle, id: string): Promise<OperationResult>;
}

const put = (id: string, generation: number, cpus: number): KillStep => ({
  id,
  what: "put",
  ask: (agent, each) =>
    agent.putVm(VICTIM, aPut({ id: each, generation, spec: aSpec({ cpus: { count: cpus, max: 4 } }) }), NEVER),
});

const operate = (id: string, kind: "boot" | "reboot" | "delete"): KillStep => ({
  id,
  what: kind,
  ask: (agent, each) => {
    const grace = kind === "boot" ? {} : { graceSeconds: 1 };
    return agent.operate(VICTIM, { id: each, expect: null, kind, ...grace } as never, NEVER);
  },
});

export const KILL_SCRIPT: readonly KillStep[] = [
  put("1", 1, 1),
  operate("2", "boot"),
  put("3", 2, 3),
  operate("4", "reboot"),
  operate("5", "delete"),
];
