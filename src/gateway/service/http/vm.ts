/** GET /v1/fleets/{name}/vms/{vm}: all that is known of one VM. */
import { OdoroboError } from "../../../model/errors.ts";
import { json } from "../../../platform/http/answers.ts";
import { toVmPage } from "../../../report/gateway/to-vm-page.ts";
import type { Call } from "./call.ts";
import { fleetOf, sightingOf } from "./served-fleet.ts";

export async function getVm(call: Call): Promise<Response> {
  const { parts, params } = call;
  const name = params.name ?? "";
  const { view } = fleetOf(call);
  const sighting = sightingOf({ view }, name);
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

export const noSuchVm = (fleet: string, vm: string): OdoroboError =>
  new OdoroboError("NOT_FOUND", `${fleet} has no VM ${JSON.stringify(vm.slice(0, 80))}`, {
    hint: "neither do its manifests name it, nor has one of its agents said that it is there",
  });
