/** GET /v1/fleets and /v1/fleets/{name}: what each fleet is at. */
import { instant } from "../../../model/names.ts";
import { json } from "../../../platform/http/answers.ts";
import type { GatewayFleetList, ShownLeader } from "../../../report/gateway/gateway-documents.ts";
import type { Call, Parts } from "./call.ts";
import { fleetOf } from "./served-fleet.ts";

export const toFleetList = ({ fleets, version, since, clock, cluster = null }: Parts): GatewayFleetList => ({
  kind: "GatewayFleetList",
  version: 1,
  now: clock.now(),
  gateway: { version, since: instant(since), leader: leaderOf(cluster) },
  fleets: [...fleets.values()].map(({ view }) => view.summary()),
});

const leaderOf = (cluster: Parts["cluster"] | null): ShownLeader =>
  cluster
    ? {
        mode: "cluster",
        leads: cluster.leads,
        leader: cluster.leader?.name ?? null,
        url: cluster.leader?.url ?? null,
        term: cluster.leader?.term ?? null,
        since: instant(cluster.since),
      }
    : { mode: "alone" };

export const getFleets = async ({ parts }: Call): Promise<Response> => json(200, toFleetList(parts));

export const getFleet = async (call: Call): Promise<Response> =>
  json(200, fleetOf(call).view.document(call.parts.clock.now()));
