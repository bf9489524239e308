/**
 * What the agent can do with VMs, as its HTTP routes (and later the operator routes) see it.
 * Implemented by `service.ts`; refusals reject with an OdoroboError whose status is the HTTP status.
 */
import type { Duplex } from "node:stream";
import type { LookAnswer, LookQuestion } from "../../model/boot/boot-needs.ts";
import type { OdoroboError } from "../../model/errors.ts";
import type { VmName } from "../../model/names.ts";
import type { NodeReport, VmReport, Whereabouts } from "../../model/observed-state.ts";
import type { Lease, LeaseRequest } from "../../wire/lease.ts";
import type { OperationRequest, OperationResult, PutVmRequest } from "../../wire/operations.ts";
import type { OrderTerm } from "../../wire/order-term.ts";
import type { GuestCounters, RawAnswer, RawRequest } from "../hypervisor/hypervisor.ts";

import type { NodeImages } from "./acts/node-images.ts";
import type { EventLog } from "./parts/event-log.ts";

export type { EventLog, GuestCounters, RawAnswer, RawRequest };

export interface Lifecycle extends AsyncDisposable {
  /** Asks every running guest (bounded), so that what it says was so just now. */
  report(signal: AbortSignal): Promise<NodeReport>;
  /** The same from what is known: no guest is asked, so it costs next to nothing and waits for nobody. */
  known(): NodeReport;
  /** Rejects with NOT_FOUND. */
  vm(name: VmName, signal: AbortSignal): Promise<VmReport>;
  /** Resolves when the operation has ended. The operation goes on when the caller goes away: `signal` ends only the waiting. */
  putVm(name: VmName, request: PutVmRequest, signal: AbortSignal): Promise<OperationResult>;
  operate(name: VmName, request: OperationRequest, signal: AbortSignal): Promise<OperationResult>;
  /** What became of an operation, `running` included; null: never heard of it. `near`: the VM that it is probably of, asked first. */
  operation(id: string, near?: string): OperationResult | null;
  /** Remembers it for the fleet's sake, and says it in the next reports. Durable when it resolves. */
  tellWhereabouts(told: Whereabouts): Promise<void>;
  /** Resolves with who has it then. */
  /** Before each order that is given in a term. Rejects with STALE_TERM, or with STORAGE_FAILED. */
  admit(term: OrderTerm): Promise<void>;
  lease(fleet: string, request: LeaseRequest): Promise<Lease>;
  /** In the order of the questions; null for a null, and for what cannot be said. */
  lookFor(questions: readonly (LookQuestion | null)[], signal: AbortSignal): Promise<readonly (LookAnswer | null)[]>;
  /** The images that this node fetches. */
  readonly images: Pick<NodeImages, "fetch" | "list" | "prune">;
  readonly events: EventLog;
  /**
   * For a guest that another agent brings, which shows its ticket: what takes over the connection. Throws UNAUTHORIZED, ARRIVAL_REFUSED,
   * WRONG_PHASE.
   */
  letIn(name: VmName, channel: string, ticket: string): (stream: Duplex) => void;
  /** Where the guest's serial line is; rejects with NOT_FOUND. */
  serial(name: VmName): Promise<SerialLineAt>;
  /** What the hypervisor counted. Rejects with NOT_FOUND, WRONG_PHASE while no guest runs, UNSUPPORTED. */
  counters(name: VmName, signal: AbortSignal): Promise<GuestCounters>;
  /**
   * A call of the hypervisor's own API; whoever asks has checked that the caller may. What is not a GET waits for its turn
   * in the VM's queue, and the guest is looked at afterwards, so that what it changed is seen. After one the agent does not
   * start this guest again by itself when it ends: somebody else has the wheel. Rejects as `counters` does.
   */
  raw(name: VmName, request: RawRequest, signal: AbortSignal): Promise<RawAnswer>;
}

export interface SerialLineAt {
  /** Null: it never said anything. */
  readonly log: string | null;
  /** What to tell who wants to connect to a guest that runs and has no line. */
  readonly absence: OdoroboError | null;
}
