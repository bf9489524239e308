/** Whose webhooks of a fleet are believed. */
import type { Logger } from "../../platform/logger.ts";
import type { HookFleet } from "../hooks/hook-door.ts";
import { openHookSecrets } from "../hooks/hook-secrets.ts";
import type { FleetConfig } from "./gateway-config.ts";

/** Null: it has no hooks, or its secret cannot be read, which the log says. */
export async function openFleetHook(
  { name, forge }: Pick<FleetConfig, "name" | "forge">,
  log: Logger,
): Promise<Pick<HookFleet, "kind" | "secrets"> | null> {
  if (forge === null || forge.hookSecretFile === null) return null;
  try {
    return { kind: forge.kind, secrets: await openHookSecrets(forge.hookSecretFile) };
  } catch (error) {
    log.error({ fleet: name, err: error }, "no webhook of this fleet is believed");
    return null;
  }
}
