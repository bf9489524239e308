/** What the guest of a VM does not have of the spec last applied, by odorobo's own doing. Pure. */
import type { Instant } from "../../../model/names.ts";
import type { DriftedField } from "../../../model/observed-state.ts";
import type { Owed } from "../../store/vm-record.ts";

/** Right after a spec was applied: what the guest does not have of it then is owed to it, and was nobody else's doing. */
export const owedAfterPut = (
  drift: readonly DriftedField[],
  before: readonly Owed[] | undefined,
  now: Instant,
): readonly Owed[] => drift.map(({ path }) => before?.find((each) => each.path === path) ?? { path, since: now });

/** What is still owed of `before` when the guest differs in `drift`. */
export const stillOwed = (drift: readonly DriftedField[], before: readonly Owed[] | undefined): readonly Owed[] =>
  (before ?? []).filter(({ path }) => drift.some((each) => each.path === path));
