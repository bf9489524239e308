/** GET /v1/fleets/{name}/vms/{vm}/history: which commits changed it, and which runs touched it. */
import { isOdoroboError } from "../../../model/errors.ts";
import type { VmName } from "../../../model/names.ts";
import { json } from "../../../platform/http/answers.ts";
import { commitLink } from "../../../report/gateway/forge-links.ts";
import type { Because } from "../../../report/gateway/gateway-documents.ts";
import type { GatewayVmHistory } from "../../../report/gateway/page-documents.ts";
import { noSuchVm } from "../guests/find-guest.ts";
import type { VmCommits } from "../history/vm-commits.ts";
import { runsOf } from "../history/vm-runs.ts";
import type { Call, ServedFleet } from "./call.ts";
import { fleetOf, sightingOf } from "./served-fleet.ts";

export async function getVmHistory(call: Call): Promise<Response> {
  const { params, parts, signal } = call;
  const name = params.name ?? "";
  const fleet = fleetOf(call);
  const { desired } = sightingOf(fleet, name);
  const row = fleet.view.sight.vm(params.vm ?? "");
  if (row === null) throw noSuchVm(name, params.vm ?? "");
  const { view } = fleet;
  const found = await commitsOf(fleet, row.name, signal);
  const { runs, isComplete } = runsOf((await parts.runs.list()).runs, desired.fleet.name, row.name);
  const document: GatewayVmHistory = {
    kind: "GatewayVmHistory",
    version: 1,
    ...{ fleet: name, now: parts.clock.now(), vm: row.name, runs },
    entries: found.entries.map((entry) => {
      const revision = view.revision(({ commit }) => commit !== null && commit === entry.commit);
      const shown = revision === null ? null : { id: revision.id, standing: revision.standing, at: revision.at };
      return { ...entry, link: commitLink(view.links, entry.commit), revision: shown };
    }),
    isComplete: isComplete && found.isComplete,
    because: found.because,
  };
  return json(200, document);
}

async function commitsOf(
  { view, history }: ServedFleet,
  vm: VmName,
  signal: AbortSignal,
): Promise<VmCommits & { readonly because: Because | null }> {
  const none = (because: Because) => ({ entries: [], isComplete: true, because });
  const fleet = view.sight.fleet;
  if (history === null || fleet === null || fleet.commit === null)
    return none({
      code: null,
      message: "the manifests are in no repository that is asked for its history",
      hint: null,
    });
  const file = view.sight.fileOf(vm);
  try {
    return { ...(await history.of({ vm, file, commit: fleet.commit, texts: fleet.texts }, signal)), because: null };
  } catch (error) {
    signal.throwIfAborted();
    if (!isOdoroboError(error)) throw error;
    return none({ code: error.code, message: error.message, hint: error.hint ?? null });
  }
}
