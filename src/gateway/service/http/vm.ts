/** GET /v1/fleets/{name}/vms/{vm}: all that is known of one VM. */
import { json } from "../../../platform/http/answers.ts";
import { toVmPage } from "../../../report/gateway/to-vm-page.ts";
import { noSuchVm } from "../guests/find-guest.ts";
import type { Call } from "./call.ts";
import { fleetOf, sightingOf } from "./served-fleet.ts";

export async function getVm(call: Call): Promise<Response> {
  const { parts, params } = call;
  const name = params.name ?? "";
  const fleet = fleetOf(call);
  const { view } = fleet;
  const sighting = sightingOf(fleet, name);
  const row = view.sight.vm(params.vm ?? "");
  if (row === null) throw noSuchVm(name, params.vm ?? "");
  const revision = view.plannedRevision;
  const context = {
    ...{ fleet: name, now: parts.clock.now(), row, links: view.links },
    revision: revision?.id ?? null,
    commit: revision?.commit ?? null,
  };
  return json(200, toVmPage(sighting, context));
}
