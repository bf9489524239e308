/** What `odorobo simulate --json` prints (`schemas/simulation.schema.json`): a plan carried out on agents in memory, in a time of its own. */
import type { Instant, NodeName, VmName } from "../../model/names.ts";

export interface Simulation {
  readonly kind: "Simulation";
  readonly version: 1;
  readonly fleet: string;
  readonly planId: string;
  /** The world that it began from. */
  readonly observedAt: Instant;
  readonly seed: number;
  /** What was made to fail, in the order of time. */
  readonly injected: readonly InjectedFailure[];
  readonly outcome: "done" | "failed";
  readonly counts: { readonly done: number; readonly failed: number; readonly skipped: number };
  readonly makespanSeconds: number;
  /** As the plan predicts its moves; null: nothing moves. */
  readonly predictedSeconds: number | null;
  /** Guests that ran and stood still, the longest first. */
  readonly standstill: readonly Standstill[];
  /** The least that each node that took part had left; sorted by name. */
  readonly headroom: readonly { readonly node: NodeName; readonly cpus: number; readonly memoryMiB: number }[];
  readonly undone: readonly UndoneStep[];
  /** What the next plan would have to do in the world as it was left. */
  readonly next: { readonly steps: number; readonly blocked: number; readonly unknown: number };
  /** Promises that were broken on the way, or at the end. Empty is good. */
  readonly violations: readonly string[];
}

/**
 * - `agent-dies`: it answers nobody; what it has begun it ends. - `link-cut`: between two nodes, and moves over it fail; without `to` between
 *   here and the node, and answers are lost. - `step-refused`: each time that it is asked for.
 */
export type InjectedFailure =
  | {
      readonly kind: "agent-dies";
      readonly atSeconds: number;
      readonly node: NodeName;
      /** Null: for good. */
      readonly forSeconds: number | null;
    }
  | {
      readonly kind: "link-cut";
      readonly atSeconds: number;
      readonly forSeconds: number;
      readonly node: NodeName;
      readonly to: NodeName | null;
    }
  | { readonly kind: "step-refused"; readonly atSeconds: number; readonly step: string; readonly title: string };

export interface Standstill {
  readonly vm: VmName;
  readonly milliseconds: number;
  /** Still, when all was over. */
  readonly isOff: boolean;
}

export interface UndoneStep {
  readonly step: string;
  readonly title: string;
  readonly outcome: "failed" | "skipped";
  readonly because: string;
}
