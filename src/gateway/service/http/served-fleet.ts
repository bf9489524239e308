/** Which fleet is asked about, and what was seen of it. */
import { OdoroboError } from "../../../model/errors.ts";
import type { Sighting } from "../../../report/gateway/sighting.ts";
import type { Call, ServedFleet } from "./call.ts";

/** Throws NOT_FOUND. */
export function fleetOf({ params, parts }: Pick<Call, "params" | "parts">): ServedFleet {
  const name = params.name ?? "";
  const found = parts.fleets.get(name);
  if (found !== undefined) return found;
  throw new OdoroboError("NOT_FOUND", `this gateway has no fleet ${JSON.stringify(name.slice(0, 80))}`, {
    hint: `it has: ${[...parts.fleets.keys()].join(", ")}`,
  });
}

/** Throws NOT_FOUND while nothing was seen of it. */
export function sightingOf({ view }: ServedFleet, fleet: string): Sighting {
  const { sighting } = view.sight;
  if (sighting !== null) return sighting;
  const because = view.summary().notReadyBecause?.message.split("\n")[0];
  throw new OdoroboError("NOT_FOUND", `nothing has been seen of ${fleet} yet${because ? `: ${because}` : ""}`, {
    hint: "its repository is read and its agents are asked first; /v1/fleets says how far that is",
  });
}
