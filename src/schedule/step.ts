/**
 * Every kind of step, what it needs, and its sentence.
 *
 * Add a row to StepArgs, and the compiler asks for its sentence here and its performer in `apply/perform-step.ts`.
 * A step is data: one act of one agent, with nothing left to decide when it is carried out.
 */
import type { ChangeClass } from "../model/change-class.ts";
import type { Instant, NodeName, VmName } from "../model/names.ts";
import type { RemoteImage } from "../model/remote-image.ts";

interface StepArgs {
  /** Defines the VM on the node with `specs[vm]` of the plan. Its disks are made, or taken back from a tombstone. */
  createVm: { readonly generation: number };
  /** Gives the VM `specs[vm]`; what can change live changes now, the rest at its next boot. `defer`: all of it, for that is the next step. */
  updateVm: { readonly generation: number; readonly defer?: true };
  bootVm: object;
  shutdownVm: object;
  /** Power cycle with the spec as last applied. */
  rebootVm: object;
  /** The guest stands still, and keeps what it holds. */
  pauseVm: object;
  resumeVm: object;
  /**
   * The guest goes on on `node` where it stood on `fromNode`, with the spec as last applied; both hold it until it has left. `cold`: it is off, and
   * its disks are sent. Left out, as plans of before do: `live`. `bandwidthMiBps`: it takes no more of the link, where its hypervisor can be told;
   * left out: as much as there is.
   */
  migrateVm: { readonly fromNode: NodeName; readonly mode?: "live" | "cold"; readonly bandwidthMiBps?: number };
  /** Stops it and leaves a tombstone; disks stay until the retention ends. */
  deleteVm: object;
  /**
   * The node has the image in its cache afterwards. `vm` is the first of those that wait for it. `digest`: what the plan saw at its source, and nothing
   * else is taken; null: what it says by then. `bytes` and `estimatedSeconds` null: nobody says. `basis`: how fast the node fetched before; left out: assumed.
   */
  fetch: {
    readonly image: string;
    readonly remote: RemoteImage;
    readonly digest: string | null;
    readonly bytes: number | null;
    readonly estimatedSeconds: number | null;
    readonly basis?: "measured";
  };
}

export type StepKind = keyof StepArgs;
/** Those that act on a VM. */
export type VmStepKind = Exclude<StepKind, "fetch">;

interface StepHead<K extends StepKind> {
  /** Same VM, same kind, same state of the world: same id. Agents use it to do a thing once. */
  readonly id: string;
  readonly kind: K;
  readonly vm: VmName;
  /** Whose act it is; of a migration: where the VM is afterwards. */
  readonly node: NodeName;
  /** Ids of the steps that must have succeeded before this one starts. Sorted. */
  readonly after: readonly string[];
  readonly class: ChangeClass;
  /** What the agent must still see for this step to be right. For a VM that comes back to its disks: their tombstone. Null: what the VM's preceding step in this plan left behind (or nothing, for a VM that is new). */
  readonly expect: { readonly generation: number; readonly serial: number } | null;
  /** Not begun at that time or later: the window of its VM closes then. Left out: whenever. */
  readonly until?: Instant;
}

export type StepOf<K extends StepKind> = StepHead<K> & StepArgs[K];
export type Step = { [K in StepKind]: StepOf<K> }[StepKind];

const sentences: { readonly [K in StepKind]: (step: StepOf<K>) => string } = {
  createVm: (step) => `create ${step.vm} on ${step.node}`,
  updateVm: (step) => `update ${step.vm} on ${step.node}`,
  bootVm: (step) => `boot ${step.vm} on ${step.node}`,
  shutdownVm: (step) => `shut down ${step.vm} on ${step.node}`,
  rebootVm: (step) => `reboot ${step.vm} on ${step.node}`,
  migrateVm: (step) =>
    step.mode === "cold"
      ? `move ${step.vm} from ${step.fromNode} to ${step.node}, switched off, with its disks`
      : `migrate ${step.vm} from ${step.fromNode} to ${step.node}`,
  pauseVm: (step) => `pause ${step.vm} on ${step.node}`,
  resumeVm: (step) => `resume ${step.vm} on ${step.node}`,
  deleteVm: (step) => `delete ${step.vm} from ${step.node}, keeping its disks`,
  fetch: ({ image, node, bytes, estimatedSeconds, basis }) =>
    bytes === null || estimatedSeconds === null
      ? `fetch image ${image} to ${node} (unknown size)`
      : `fetch image ${image} to ${node} (${Math.ceil(bytes / MIB)} MiB, about ${estimatedSeconds} s${basis === undefined ? " if 50 MiB come in one" : ""})`,
};

const MIB = 1024 * 1024;

/** Acts on its VM. What is fetched for several is nobody's act. */
export const isOfVm = (step: Step): step is Exclude<Step, StepOf<"fetch">> => step.kind !== "fetch";

export const STEP_KINDS = Object.keys(sentences) as readonly StepKind[];

export function describeStep(step: Step): string {
  return (sentences[step.kind] as (step: Step) => string)(step);
}
