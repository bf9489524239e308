/** A VM that its agent reports and may not touch: why, in the words of plans. Pure. */
import type { NodeName } from "./names.ts";
import type { UnreadableVm } from "./observed-state.ts";

export const whyUntouched = (node: NodeName, { problem, held }: UnreadableVm): string =>
  held ? `is held on ${node}: ${problem}` : `its record on ${node} cannot be read: ${problem}`;
