/** From an agent's options to the parts that the lifecycle works with, what is left out made good. */
import type { NodeName } from "../../model/names.ts";
import type { Capacity } from "../../model/observed-state.ts";
import type { Clock } from "../../platform/clock.ts";
import { type Logger, silentLogger } from "../../platform/logger.ts";
import { type Dial, openMoveChannel } from "../../wire/move-channel.ts";
import type { LinePace } from "../../wire/move-line.ts";
import type { StartAfterReboot } from "../config.ts";
import { noSerialLines, type SerialLines } from "../console/serial-lines.ts";
import { type Hooks, NO_HOOKS } from "../hooks/hooks.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { DEFAULT_IMAGE_SETTINGS, ImageCache, type ImageSettings } from "../images/image-cache.ts";
import { Neighbours } from "../network/neighbours.ts";
import { type HostNetwork, hostNetwork } from "../network/tap.ts";
import { createDiskStorage, type DiskStorage } from "../storage/disk-storage.ts";
import { ImageWatch } from "../storage/image-watch.ts";
import { PatientLooks } from "../storage/patient-looks.ts";
import { openArrivalVerdicts } from "../store/arrival-verdicts.ts";
import { type HistoryStore, openHistoryStore } from "../store/history-store.ts";
import { Leases } from "../store/leases.ts";
import { openReserve } from "../store/reserve.ts";
import { Terms } from "../store/terms.ts";
import { openVmStore, type VmStore } from "../store/vm-store.ts";
import { openWhereaboutsStore } from "../store/whereabouts-store.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import { type AgentTally, NO_TALLY } from "../tally.ts";
import type { MovePace } from "./migration/moves.ts";
import { DiskClaims } from "./parts/disk-claims.ts";
import { createEventLog } from "./parts/event-log.ts";
import { probeHypervisors } from "./parts/hypervisor-reports.ts";
import type { Parts } from "./parts/parts.ts";
import { Slot } from "./parts/slot.ts";
import type { Pace } from "./recovery/clockwork.ts";

export interface LifecycleOptions extends Pace, MovePace {
  readonly node: {
    readonly name: NodeName;
    readonly id: string;
    readonly agentVersion: string;
    readonly bootId: string;
  };
  readonly capacity: Capacity;
  readonly hypervisors: readonly Hypervisor[];
  readonly supervisor: Supervisor;
  /** Absolute. One agent each: see `lockDataFolder`. */
  readonly dataFolder: string;
  /** Absolute and short: sockets live below it. */
  readonly runFolder: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Nobody counts when left out. */
  readonly tally?: AgentTally;
  /** `auto` when left out. */
  readonly startAfterReboot?: StartAfterReboot;
  /** Over their own doors when left out. */
  readonly dial?: Dial;
  /** As it is right for networks when left out. */
  readonly line?: LinePace;
  /** None when left out. */
  readonly hooks?: Hooks;
  /** Where people may have files written and taken from. None when left out. */
  readonly allowedRoots?: readonly string[];
  readonly store?: VmStore;
  /** How long things took, in the data folder when left out. */
  readonly history?: HistoryStore;
  readonly storage?: DiskStorage;
  /** How images are fetched. */
  readonly imageSettings?: Partial<ImageSettings>;
  readonly network?: HostNetwork;
  /** Who keeps guests' serial lines. Left out: nobody does. */
  readonly consoles?: SerialLines;
}

/** With what the store holds. `stopping` is aborted when the agent stops. */
export async function makeParts(
  options: LifecycleOptions,
  stopping: AbortSignal,
): Promise<{ readonly parts: Parts; readonly slots: Map<string, Slot> }> {
  const { clock, logger = silentLogger } = options;
  const startedAt = clock.now();
  const network = options.network ?? hostNetwork({ owner: null });
  const reserve = await openReserve(options.dataFolder);
  const imageCache = await ImageCache.open({
    ...{ ...DEFAULT_IMAGE_SETTINGS, ...options.imageSettings },
    ...{ dataFolder: options.dataFolder, now: () => clock.now(), stopping },
  });
  const store = options.store ?? (await openVmStore({ ...options, reserve }));
  const [stored, whereabouts, history, verdicts, reports] = await Promise.all([
    store.load(),
    openWhereaboutsStore(options.dataFolder, { clock, logger, reserve }),
    options.history ?? openHistoryStore(options.dataFolder, { logger }),
    openArrivalVerdicts(options.dataFolder, { reserve }),
    probeHypervisors(options.hypervisors, { clock, logger, stopping }),
  ]);
  const slots = new Map<string, Slot>(stored.map((each) => [each.name, new Slot(each.name, each)]));
  const parts: Parts = {
    node: { ...options.node, startedAt },
    hypervisors: new Map(options.hypervisors.map((each) => [each.kind, each])),
    reports,
    supervisor: options.supervisor,
    store,
    reserve,
    runFolder: options.runFolder,
    storage: options.storage ?? createDiskStorage(imageCache),
    images: new ImageWatch(),
    imageCache,
    looks: new PatientLooks(),
    claims: new DiskClaims(slots),
    network,
    neighbours: new Neighbours(async (signal) => (await network.neighbours?.(signal)) ?? [], clock),
    consoles: options.consoles ?? noSerialLines,
    clock,
    logger,
    events: createEventLog(clock, logger),
    tally: options.tally ?? NO_TALLY,
    hooks: options.hooks ?? NO_HOOKS,
    whereabouts,
    leases: new Leases(options.dataFolder, clock),
    terms: new Terms(options.dataFolder),
    history,
    verdicts,
    dial: options.dial ?? openMoveChannel,
    line: options.line ?? {},
    startAfterReboot: options.startAfterReboot ?? "auto",
    allowedRoots: options.allowedRoots ?? [],
    stopping,
  };
  return { parts, slots };
}
