/** GET /v1/fleets and /v1/fleets/{name}: what each fleet is at. */
import { instant } from "../../../model/names.ts";
import { json } from "../../../platform/http/answers.ts";
import type { GatewayFleetList } from "../../../report/gateway/gateway-documents.ts";
import type { Call, Parts } from "./call.ts";
import { fleetOf } from "./served-fleet.ts";

export const toFleetList = ({ fleets, version, since, clock }: Parts): GatewayFleetList => ({
  kind: "GatewayFleetList",
  version: 1,
  now: clock.now(),
  gateway: { version, since: instant(since) },
  fleets: [...fleets.values()].map(({ view }) => view.summary()),
});

export const getFleets = async ({ parts }: Call): Promise<Response> => json(200, toFleetList(parts));

export const getFleet = async (call: Call): Promise<Response> =>
  json(200, fleetOf(call).view.document(call.parts.clock.now()));
