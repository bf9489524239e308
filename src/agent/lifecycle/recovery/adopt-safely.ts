import type { Moves } from "../migration/moves.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { adopt } from "./adopt.ts";

/** A VM that the agent cannot find out about must neither keep it from starting nor be taken for something that it is not. */
export async function adoptSafely(parts: Parts, slot: Slot, moves: Moves): Promise<void> {
  try {
    await adopt(parts, slot, moves);
  } catch (error) {
    if (parts.stopping.aborted) return;
    parts.logger.error({ err: error, vm: slot.name }, "could not find out what became of a VM");
    const problem = `could not find out what became of its guest: ${error instanceof Error ? error.message : error}`;
    slot.untold = slot.stored?.state === "present" ? (slot.stored.guest?.process ?? null) : null;
    await slot.letGo();
    slot.stored = { state: "unreadable", name: slot.name, problem };
  }
}
