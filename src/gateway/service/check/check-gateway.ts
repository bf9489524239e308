/**
 * Can all be reached that a gateway needs, with what it was given? Looks, and changes nothing anywhere.
 *
 *   commands/gateway/check.ts → [check-gateway.ts] → check-machine.ts, check-repository.ts, check-outlets.ts
 */
import type { Clock } from "../../../platform/clock.ts";
import type { GatewayCheck, GatewayFinding } from "../../../report/gateway/gateway-check.ts";
import type { FleetConfig, GatewayConfig } from "../gateway-config.ts";
import { checkCluster } from "./check-cluster.ts";
import { checkMachine } from "./check-machine.ts";
import { checkForge, checkHook, checkNotify } from "./check-outlets.ts";
import { checkRepository } from "./check-repository.ts";

/** Rejects only with the signal's reason. */
export async function checkGateway(config: GatewayConfig, clock: Clock, signal: AbortSignal): Promise<GatewayCheck> {
  const [machine, ...fleets] = await Promise.all([
    checkMachine(config, clock, signal).then(async (findings) =>
      config.cluster ? [...findings, ...(await checkCluster(config.cluster))] : findings,
    ),
    ...config.fleets.map((fleet) => checkFleet(fleet, config, clock, signal)),
  ]);
  const findings = [...machine.map((finding) => ({ fleet: null, ...finding })), ...fleets.flat()];
  const twins = twinsOf(fleets.flatMap(({ fleet }) => fleet));
  return { kind: "GatewayCheck", version: 1, at: clock.now(), findings: [...findings, ...twins] };
}

interface CheckedFleet extends Array<GatewayFinding> {
  /** The entry, and the fleet that its manifests name. */
  readonly fleet: readonly { readonly entry: string; readonly named: string }[];
}

async function checkFleet(
  config: FleetConfig,
  { publicUrl, dataFolder }: GatewayConfig,
  clock: Clock,
  signal: AbortSignal,
): Promise<CheckedFleet> {
  const [repository, forge, hook, notify] = await Promise.all([
    checkRepository(config, { dataFolder, clock }, signal),
    checkForge(config, signal),
    checkHook(config, publicUrl, signal),
    checkNotify(config),
  ]);
  const all = [...repository.findings, ...forge, ...hook, ...notify];
  const fleet = repository.named === null ? [] : [{ entry: config.name, named: repository.named }];
  return Object.assign(
    all.map((finding) => ({ fleet: config.name, ...finding })),
    { fleet },
  );
}

/** Entries whose repositories name one fleet. */
function twinsOf(all: CheckedFleet["fleet"]): GatewayFinding[] {
  const byName = Map.groupBy(all, ({ named }) => named);
  return [...byName].flatMap(([named, entries]) =>
    entries.slice(1).map(({ entry }) => ({
      fleet: entry,
      check: "fleet",
      level: "fail" as const,
      message: `its repository names the fleet ${named}, and so does that of ${entries[0]?.entry}`,
      hint: "two entries would undo what the other does: remove one, or rename the fleet in one repository",
    })),
  );
}
