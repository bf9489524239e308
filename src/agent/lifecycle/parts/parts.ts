/** What the acts of the lifecycle work with, made once by `service.ts`. */
import type { NodeIdentity } from "../../../model/observed-state.ts";
import type { HypervisorKind } from "../../../model/vm-spec.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Dial } from "../../../wire/move-channel.ts";
import type { LinePace } from "../../../wire/move-line.ts";
import type { StartAfterReboot } from "../../config.ts";
import type { SerialLines } from "../../console/serial-lines.ts";
import type { Hooks } from "../../hooks/hooks.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { ImageCache } from "../../images/image-cache.ts";
import type { Neighbours } from "../../network/neighbours.ts";
import type { HostNetwork } from "../../network/tap.ts";
import type { DiskStorage } from "../../storage/disk-storage.ts";
import type { ImageWatch } from "../../storage/image-watch.ts";
import type { PatientLooks } from "../../storage/patient-looks.ts";
import type { ArrivalVerdicts } from "../../store/arrival-verdicts.ts";
import type { HistoryStore } from "../../store/history-store.ts";
import type { Leases } from "../../store/leases.ts";
import type { Reserve } from "../../store/reserve.ts";
import type { Terms } from "../../store/terms.ts";
import type { VmStore } from "../../store/vm-store.ts";
import type { WhereaboutsStore } from "../../store/whereabouts-store.ts";
import type { Supervisor } from "../../supervisor/supervisor.ts";
import type { AgentTally } from "../../tally.ts";
import type { DiskClaims } from "./disk-claims.ts";
import type { WritableEventLog } from "./event-log.ts";
import type { HypervisorReports } from "./hypervisor-reports.ts";

export interface Parts {
  readonly node: NodeIdentity;
  readonly hypervisors: ReadonlyMap<HypervisorKind, Hypervisor>;
  readonly reports: HypervisorReports;
  readonly supervisor: Supervisor;
  readonly store: VmStore;
  readonly reserve: Reserve;
  /** The agent's, as it was given: guests' own folders lie below it. */
  readonly runFolder: string;
  readonly storage: DiskStorage;
  readonly images: ImageWatch;
  /** What this node has fetched. */
  readonly imageCache: ImageCache;
  /** At files whose storage may not answer. */
  readonly looks: PatientLooks;
  readonly claims: DiskClaims;
  readonly network: HostNetwork;
  readonly neighbours: Neighbours;
  readonly consoles: SerialLines;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: WritableEventLog;
  readonly tally: AgentTally;
  readonly hooks: Hooks;
  readonly whereabouts: WhereaboutsStore;
  readonly leases: Leases;
  readonly terms: Terms;
  readonly history: HistoryStore;
  /** What became of guests that others brought here, or were to. */
  readonly verdicts: ArrivalVerdicts;
  /** The way to other agents, and when the line to one counts as dead. */
  readonly dial: Dial;
  readonly line: LinePace;
  readonly startAfterReboot: StartAfterReboot;
  /** Where people may have files written and taken from, beside the agent's own folders. */
  readonly allowedRoots: readonly string[];
  /** Aborted when the agent stops. Acts under way are left as they are, and the journal says so. */
  readonly stopping: AbortSignal;
}
