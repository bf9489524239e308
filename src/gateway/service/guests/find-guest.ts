/** Which agent is asked about a VM. */
import { OdoroboError } from "../../../model/errors.ts";
import type { NodeName, VmName } from "../../../model/names.ts";
import type { AgentClient } from "../../../wire/client.ts";
import type { ServedFleet } from "../http/call.ts";

export interface FoundGuest {
  readonly name: VmName;
  readonly node: NodeName;
  readonly agent: AgentClient;
}

/** Throws NOT_FOUND: there is no such VM, or it is nowhere. */
export function findGuest({ view, agents }: ServedFleet, fleet: string, name: string): FoundGuest {
  const row = view.sight.vm(name);
  if (row === null) throw noSuchVm(fleet, name);
  const address = view.sight.sighting?.desired.nodes.find((node) => node.name === row.node)?.address;
  if (row.node === null || address === undefined)
    throw new OdoroboError("NOT_FOUND", `${name} is on no node that this gateway knows of`, {
      hint: "it was not made yet, or the node that has it has left the manifests",
    });
  return { name: row.name, node: row.node, agent: agents.at(address) };
}

export const noSuchVm = (fleet: string, vm: string): OdoroboError =>
  new OdoroboError("NOT_FOUND", `${fleet} has no VM ${JSON.stringify(vm.slice(0, 80))}`, {
    hint: "neither do its manifests name it, nor has one of its agents said that it is there",
  });
