/** What every route gets: the request, its parsed address, and the parts of the gateway it may talk to. */
import type { Role } from "../../../model/role.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { Caller } from "../../../platform/http/door/caller.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { RunStore } from "../../../run/run-store.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import type { GatewayMetrics } from "../../metrics/gateway-metrics.ts";
import type { GatewayEvents } from "../event-log.ts";
import type { FleetView } from "../fleet-view.ts";
import type { AgentLines } from "../guests/agent-lines.ts";
import type { CommitHistory } from "../history/vm-commits.ts";
import type { Sessions } from "../page/sessions.ts";

/** A fleet as the door sees it: of a gateway, or the one of a watch. */
export interface ServedFleet {
  readonly view: FleetView;
  readonly agents: AgentLines;
  /** Null: its manifests are in no repository. */
  readonly history: CommitHistory | null;
}

export interface Parts {
  readonly fleets: ReadonlyMap<string, ServedFleet>;
  readonly runs: RunStore;
  readonly events: GatewayEvents;
  readonly metrics: GatewayMetrics;
  readonly sessions: Sessions;
  /** Resolves when the run goes on. */
  readonly carryOn: (run: string, by: string) => Promise<void>;
  /** Whose gateways share an etcd; null, or left out: this one is alone. */
  readonly cluster?: Pick<Cluster, "leads" | "leader" | "since"> | null;
  readonly clock: Clock;
  readonly log: Logger;
  readonly version: string;
  /** When this gateway began. */
  readonly since: string;
  /** Aborts when the gateway stops: streams end. */
  readonly stopping: AbortSignal;
}

export interface Call {
  readonly request: Request;
  readonly caller: Caller;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly parts: Parts;
  /** Aborts when the client goes away or the gateway stops. */
  readonly signal: AbortSignal;
}

export interface Route {
  /** `{x}` stands for one segment. */
  readonly path: string;
  readonly method: "GET" | "POST";
  /** The least that may ask: `observe` looks, `apply` says what is done. */
  readonly role: Role;
  readonly handle: (call: Call) => Promise<Response>;
}
