/** What the commands on runs share: which run, and how its nodes are reached if not as before. */
import { OdoroboError } from "../../../model/errors.ts";
import type { KnownRun, RunStore } from "../../../run/run-store.ts";
import { type AgentFlags, agentFlags, type FleetFlags, fleetFlags, stateFlag, toAccess, toLocation } from "../flags.ts";
import type { AttachOptions } from "./attach-run.ts";

export const runFlags = { ...stateFlag, ...fleetFlags, ...agentFlags };

export const toAttachOptions = (flags: FleetFlags & AgentFlags): Pick<AttachOptions, "location" | "access"> => ({
  location: flags.fleet === undefined && flags.repo === undefined ? null : toLocation(flags),
  access: toAccess(flags),
});

/** The whole id. Not named: the only one that is not over. */
export const runOf = (store: RunStore, name: string | undefined): Promise<string> =>
  onlyOne(store, name, ({ state }) => state.outcome === null && state.wish !== "ask", "under way or paused");

/** The whole id. Not named: the only one that waits for an approval. */
export const waitingRunOf = (store: RunStore, name: string | undefined): Promise<string> =>
  onlyOne(store, name, ({ state }) => state.outcome === null && state.wish === "ask", "waiting for an approval");

async function onlyOne(
  store: RunStore,
  name: string | undefined,
  isMeant: (run: KnownRun) => boolean,
  how: string,
): Promise<string> {
  if (name !== undefined) return (await store.find(name)).id;
  const open = (await store.list()).runs.filter(isMeant);
  if (open.length === 1 && open[0] !== undefined) return open[0].id;
  const what = open.length === 0 ? `no run is ${how}` : `${open.length} runs are ${how}`;
  throw new OdoroboError("USAGE", `which run? ${what}`, { hint: "odorobo runs list shows them" });
}
