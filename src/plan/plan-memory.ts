/** What one who plans a fleet again and again carries from plan to plan, so that only what is another is worked out anew. */
import { DiffMemory } from "../reconcile/diff-memory.ts";
import { NodeTexts } from "./observed-digest.ts";

/** A plan is the same with it and without: it holds nothing that cannot be worked out again. For one plan at a time. */
export class PlanMemory {
  readonly differences = new DiffMemory();
  readonly observed = new NodeTexts();
}
