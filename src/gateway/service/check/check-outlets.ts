/** Where a fleet's gateway tells and is told: the forge's API, its webhooks, notifications. */
import { readFile } from "node:fs/promises";
import type { Finding } from "../../../model/doctor-report.ts";
import { openForge } from "../../forge/open-forge.ts";
import { openHookSecrets } from "../../hooks/hook-secrets.ts";
import type { FleetConfig } from "../gateway-config.ts";
import { failure, finding, ok } from "./finding.ts";

export async function checkForge({ forge }: FleetConfig, signal: AbortSignal): Promise<Finding[]> {
  if (forge === null || forge.api === null || forge.kind === "generic") return [];
  try {
    const answer = await openForge({ kind: forge.kind, ...forge.api });
    const who = await answer.whoAmI(signal);
    return [ok("forge", `${answer.name} shows ${forge.api.repository}${who === null ? "" : ` to ${who}`}`)];
  } catch (error) {
    signal.throwIfAborted();
    return [failure("forge", error, "the token needs to read the repository and write commit statuses and comments")];
  }
}

export async function checkHook(
  { forge, name }: FleetConfig,
  publicUrl: string | null,
  signal: AbortSignal,
): Promise<Finding[]> {
  if (forge === null || forge.hookSecretFile === null) return [];
  try {
    await openHookSecrets(forge.hookSecretFile);
  } catch (error) {
    return [failure("hook", error)];
  }
  if (publicUrl === null)
    return [
      finding("unknown", "hook", "publicUrl is not said: nobody can tell from here whether the forge reaches it", null),
    ];
  const address = `${publicUrl}/v1/hooks/${name}`;
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(10_000)]);
    const answer = await fetch(`${publicUrl}/healthz`, { signal: within, redirect: "manual" });
    const isOurs = answer.ok && (await answer.text()).trim() === "alive";
    if (isOurs) return [ok("hook", `${address} is reached from here; the forge may be elsewhere`)];
    return [
      finding(
        "warn",
        "hook",
        `${publicUrl}/healthz answers ${answer.status}, and is no gateway`,
        "is the gateway running, and the proxy before it set to it?",
      ),
    ];
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    return [
      finding(
        "warn",
        "hook",
        `${publicUrl} cannot be reached from here: ${why}`,
        "is the gateway running, and the proxy before it set to it?",
      ),
    ];
  }
}

export const checkNotify = ({ notify }: FleetConfig): Promise<Finding[]> =>
  Promise.all(
    notify.map(async ({ kind, urlFile }) => {
      try {
        const text = (await readFile(urlFile, "utf8")).split("\n")[0]?.trim() ?? "";
        new URL(text);
        return ok("notify", `${urlFile} holds an address for ${kind}`);
      } catch {
        // Never the text: it is a secret.
        return finding("fail", "notify", `${urlFile} does not hold an address`, "one line: https://…");
      }
    }),
  );
