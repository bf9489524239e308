/** How far a move is, as each end says it to people and to plans. */
import type { Instant, NodeName } from "../../../model/names.ts";
import type { MigrationStage, MigrationState } from "../../../model/observed-state.ts";
import type { Departure } from "../../store/vm-record.ts";

export const departureState = (stage: MigrationStage, { to, since }: Departure): MigrationState => ({
  role: "source",
  since,
  url: `node ${to.node}`,
  peer: to.node,
  stage,
});

export const arrivalState = (stage: MigrationStage, from: NodeName, since: Instant): MigrationState => ({
  role: "destination",
  since,
  url: `node ${from}`,
  peer: from,
  stage,
});
