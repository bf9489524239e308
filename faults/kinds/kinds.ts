/** Every kind of fault that is made to happen beside an apply. */
import type { FaultKind } from "../list-faults.ts";
import { actByHand, clientIsSlow, clientVanishes } from "./clients.ts";
import { guestPowersOff } from "./guests.ts";
import type { Perform } from "./perform.ts";
import { fillCache, fillData, fillRun, makeReadOnly, swapData } from "./places.ts";
import { endAgent, freezeAgent, freezeGuest, killAgent, killAgentInAct, killGuest } from "./processes.ts";

type ApplyKind = Extract<FaultKind, `apply-${string}` | `command-${string}` | `clock-${string}`>;

export const KINDS: Readonly<Record<Exclude<FaultKind, ApplyKind>, Perform>> = {
  edit: (world, chance) => world.manifests.edit(chance),
  "break-manifest": (world, chance) => world.manifests.break(chance),
  "fill-data": fillData,
  "fill-run": fillRun,
  "fill-cache": fillCache,
  "data-read-only": makeReadOnly,
  "swap-data": swapData,
  "kill-agent": killAgent,
  "kill-agent-in-act": killAgentInAct,
  "end-agent": endAgent,
  "freeze-agent": freezeAgent,
  "kill-guest": killGuest,
  "freeze-guest": freezeGuest,
  "guest-powers-off": guestPowersOff,
  "client-vanishes": clientVanishes,
  "client-is-slow": clientIsSlow,
  "act-by-hand": actByHand,
};
