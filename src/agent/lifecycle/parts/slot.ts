/**
 * One VM in the agent's memory: its record, its guest, and its queue.
 *
 * Invariants: operations on one VM run strictly one after another; different VMs never wait for each other.
 * `stored` is what is on disk, except while `unsaved` says that the disk did not take it.
 */
import type { Instant, VmName } from "../../../model/names.ts";
import type {
  ChangeRule,
  GuestAddress,
  ImageBelow,
  LiveConfig,
  MigrationProgress,
  Movable,
  OpenForward,
} from "../../../model/observed-state.ts";
import type { OperationKind, OperationResult } from "../../../wire/operations.ts";
import type { HeldDevice } from "../../hypervisor/hypervisor.ts";
import {
  type CompletedOperation,
  REMEMBERED_OPERATIONS,
  type RestartRecord,
  type StoredVm,
} from "../../store/vm-record.ts";
import type { FoundGuest } from "../../supervisor/find-guests.ts";
import type { ProcessHandle } from "../../supervisor/supervisor.ts";
import type { VmState } from "./decision.ts";
import type { Guest } from "./guest.ts";
import { Hurry } from "./hurry.ts";

export interface Operation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly graceSeconds: number | null;
  /** The run that it is a step of. */
  readonly run?: string;
}

/** How an operation ended, with what only the memory keeps. */
export interface Ended extends CompletedOperation {
  readonly noop: boolean;
}

export class Slot {
  readonly name: VmName;
  stored: VmState;
  unsaved = false;
  guest: Guest | null = null;
  /** When this agent made it a tombstone, on the clock that never jumps; null: an earlier agent did. */
  buriedAtMs: number | null = null;
  /** When this agent saw it leave for another node, on the clock that never jumps; null: an earlier agent did. */
  leftAtMs: number | null = null;
  /** As the guest said last; null while it is off or silent. */
  live: LiveConfig | null = null;
  /** What this very guest takes without an outage, as it said last; null: its hypervisor has nothing finer than its capabilities. */
  changeRules: readonly ChangeRule[] | null = null;
  /** Addresses at which its guest was heard of, as last looked. */
  heard: readonly GuestAddress[] = [];
  /** Ports of the node that are chosen for it and may not be in its record yet. */
  hostPorts: readonly OpenForward[] = [];
  /** What its own disks stand on, as last looked at. */
  images: readonly ImageBelow[] = [];
  /** What the guest was asked to let go of and has not, as it was last seen. */
  held: readonly HeldDevice[] = [];
  /** Since when this agent has seen the guest run, on the clock that never jumps. */
  guestSinceMs = 0;
  /** When the start that the record plans is due, on the clock that never jumps. Worked out once for each plan. */
  due: { readonly of: RestartRecord; readonly atMs: number } | null = null;
  /** Why a guest that should be there cannot be asked; null while it answers. */
  silence: string | null = null;
  /** A guest runs that the record does not explain: `stored` says so, and the record waits here until it has ended. */
  unexplained: { readonly found: FoundGuest; readonly record: StoredVm | null } | null = null;
  /** The process of a guest that no record tells of: its disks are what it has open. */
  untold: ProcessHandle | null = null;
  /** What is being done right now, after it was journaled. */
  activity: (Operation & { readonly begunAt: Instant }) | null = null;
  /** Asked for and not ended: waiting in the queue, or under way. */
  readonly inFlight = new Map<string, { readonly kind: OperationKind; readonly result: Promise<OperationResult> }>();
  /** Calls of the hypervisor's own API that wait or are under way: they may take long, and nobody's look waits for them. */
  rawCalls = 0;
  /** Waits for a guest to power off. */
  readonly graces = new Hurry();
  /** Waits for a guest to be at another node. */
  readonly departures = new Hurry();
  /** How far a move has come that is under way. */
  progress: MigrationProgress | null = null;
  /** Whether this very guest can be moved while it runs, as it said last; null: it does not say. */
  movable: Movable | null = null;
  /** Waits for a guest to be ready. */
  readonly probes = new Hurry();
  /** Ends that no record keeps: nothing had to be done, or nothing is left. */
  readonly #remembered = new Map<string, Ended>();
  #tail: Promise<unknown> = Promise.resolve();
  #nextLook: Promise<void> | null = null;

  constructor(name: VmName, stored: VmState) {
    this.name = name;
    this.stored = stored;
  }

  /** Runs after everything that was enqueued before, whatever became of it. */
  enqueue<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#tail.then(task);
    this.#tail = result.catch(() => {});
    return result;
  }

  /** Enqueues an operation under its id, so that whoever asks for the same meanwhile joins it. Goes on when its caller goes away. */
  track({ id, kind }: Pick<Operation, "id" | "kind">, run: () => Promise<OperationResult>): Promise<OperationResult> {
    const result = this.enqueue(run).finally(() => this.inFlight.delete(id));
    this.inFlight.set(id, { kind, result });
    // A caller that went away leaves nobody to hear of a failure; the record and the log have it.
    result.catch(() => {});
    return result;
  }

  /** A look at the guest that has not begun is shared by all who ask for one. */
  enqueueLook(look: () => Promise<void>): Promise<void> {
    this.#nextLook ??= this.enqueue(() => {
      this.#nextLook = null;
      return look();
    });
    return this.#nextLook;
  }

  /** Resolves when everything enqueued so far has ended. */
  idle(): Promise<unknown> {
    return this.#tail;
  }

  /** Lets go of a guest that has ended. */
  async letGo(): Promise<void> {
    const { guest } = this;
    this.guest = null;
    this.live = null;
    this.heard = [];
    this.changeRules = null;
    this.movable = null;
    this.held = [];
    this.silence = null;
    await guest?.release();
  }

  remember(operation: Ended): void {
    this.#remembered.set(operation.id, operation);
    const oldest = this.#remembered.keys().next().value;
    if (this.#remembered.size > REMEMBERED_OPERATIONS && oldest !== undefined) this.#remembered.delete(oldest);
  }
  remembered(id: string): Ended | null {
    return this.#remembered.get(id) ?? null;
  }
  /** When a VM of the name of one that is gone is made: its steps may have the same ids, and must be done. */
  forgetFormerLife(): void {
    this.#remembered.clear();
  }
}
