/** GET /v1/fleets and /v1/fleets/{name}: what each fleet is at. */
import { OdoroboError } from "../../../model/errors.ts";
import { instant } from "../../../model/names.ts";
import { json } from "../../../platform/http/answers.ts";
import type { GatewayFleetList } from "../../../report/gateway/gateway-documents.ts";
import type { FleetService } from "../fleet-service.ts";
import type { Call, Parts } from "./call.ts";

export const toFleetList = ({ fleets, version, since }: Parts): GatewayFleetList => ({
  kind: "GatewayFleetList",
  version: 1,
  gateway: { version, since: instant(since) },
  fleets: [...fleets.values()].map(({ view }) => view.summary()),
});

export const getFleets = async ({ parts }: Call): Promise<Response> => json(200, toFleetList(parts));

export const getFleet = async (call: Call): Promise<Response> => json(200, fleetOf(call).view.document());

/** Throws NOT_FOUND. */
function fleetOf({ params, parts }: Call): FleetService {
  const name = params.name ?? "";
  const found = parts.fleets.get(name);
  if (found !== undefined) return found;
  throw new OdoroboError("NOT_FOUND", `this gateway has no fleet ${JSON.stringify(name.slice(0, 80))}`, {
    hint: `it has: ${[...parts.fleets.keys()].join(", ")}`,
  });
}
