/** Where a guest goes when nobody says where: said before anything is done, and asked where another answer would have been as possible. */
import { OdoroboError } from "../../model/errors.ts";
import type { NodeName } from "../../model/names.ts";
import { renderDestination } from "../../report/what-if/destination-text.ts";
import type { FoundVm } from "../../turn/find-vm.ts";
import type { Reached } from "../../turn/reach-nodes.ts";
import { confirm } from "./screen/confirm.ts";
import type { Screen } from "./screen/terminal.ts";

/** Rejects with UNPLACEABLE, and NOT_CONFIRMED. */
export async function chooseNode(
  screen: Screen,
  { fleet, observed }: Reached,
  found: FoundVm,
  { yes, mayStop, signal }: { readonly yes: boolean; readonly mayStop: boolean; readonly signal: AbortSignal },
): Promise<NodeName> {
  const { chooseDestination } = await import("../../turn/choose-destination.ts");
  if (fleet === null)
    throw new OdoroboError("USAGE", "which node? A single agent knows no other", { hint: "--to NODE" });
  const destination = chooseDestination(found, fleet.desired, observed, mayStop);
  const { name } = found.vm;
  const { node, able } = destination;
  screen.note(renderDestination(name, destination));
  const text = `Move ${name} to ${node}? Only "yes" is accepted:`;
  const what = `move ${name} to ${node}, one of ${able.length}`;
  const hint = `--yes takes ${node}; --to NAME another`;
  await confirm({ text, answer: "yes", what, hint }, { yes: yes || able.length === 1, signal });
  return node;
}
