/** The flags that say what a gateway turns, for the commands that run, check and install it. */
import { basename, resolve } from "node:path";
import { Flags } from "@oclif/core";
import type { FleetConfig, GatewayConfig } from "../../../gateway/service/gateway-config.ts";
import { OdoroboError } from "../../../model/errors.ts";
import { type AgentFlags, agentFlags, toAccess } from "../flags.ts";
import { parseMilliseconds } from "../parse-quantity.ts";

export const gatewayFlags = {
  config: Flags.string({
    summary: "gateway.yaml: a file for many fleets, with forges and notifications",
    helpValue: "FILE",
    env: "ODOROBO_GATEWAY_CONFIG",
    helpGroup: "SOURCE",
    exclusive: ["repo"],
  }),
  repo: Flags.string({ summary: "git repository of one fleet", helpValue: "URL", helpGroup: "SOURCE" }),
  ref: Flags.string({ summary: "branch, tag or commit of --repo", dependsOn: ["repo"], helpGroup: "SOURCE" }),
  path: Flags.string({ summary: "folder inside --repo", helpValue: "SUB", dependsOn: ["repo"], helpGroup: "SOURCE" }),
  name: Flags.string({
    summary: "what to call the fleet of --repo (default: as the repository)",
    dependsOn: ["repo"],
    helpGroup: "SOURCE",
  }),
  interval: Flags.string({
    summary: "how often to look though nothing was told (default: 60s)",
    helpValue: "60s",
    helpGroup: "SOURCE",
  }),
  "ssh-key": Flags.string({ summary: "deploy key of --repo", helpValue: "FILE", helpGroup: "SOURCE" }),
  "known-hosts": Flags.string({ summary: "host keys that --repo may have", helpValue: "FILE", helpGroup: "SOURCE" }),
  "repo-token-file": Flags.string({
    summary: "file with the token that --repo asks for",
    helpValue: "FILE",
    helpGroup: "SOURCE",
  }),
  "allow-rewind": Flags.boolean({
    summary: "follow --repo also where its history does not contain what was applied last",
    helpGroup: "GUARDS",
  }),
  data: Flags.string({
    summary: "runs, and what is remembered of each fleet (default: /var/lib/odorobo-gateway)",
    helpValue: "FOLDER",
  }),
  listen: Flags.string({
    summary: "where to answer: host:port, [ipv6]:port or unix:///path (default: 127.0.0.1:8900)",
    helpValue: "ADDRESS",
  }),
  "listen-token-file": Flags.string({
    summary: "file with the token that people show to the gateway",
    helpValue: "FILE",
  }),
  "access-file": Flags.string({
    summary: "file of people, with their roles and the hashes of their tokens (odorobo agent token)",
    helpValue: "FILE",
  }),
  ...agentFlags,
};

export interface GatewayFlags extends AgentFlags {
  readonly config?: string | undefined;
  readonly repo?: string | undefined;
  readonly ref?: string | undefined;
  readonly path?: string | undefined;
  readonly name?: string | undefined;
  readonly interval?: string | undefined;
  readonly "ssh-key"?: string | undefined;
  readonly "known-hosts"?: string | undefined;
  readonly "repo-token-file"?: string | undefined;
  readonly "allow-rewind"?: boolean | undefined;
  readonly data?: string | undefined;
  readonly listen?: string | undefined;
  readonly "listen-token-file"?: string | undefined;
  readonly "access-file"?: string | undefined;
}

export interface GivenGateway {
  readonly config: GatewayConfig;
  /** What of the file has no effect; empty: nothing. */
  readonly warningsText: string;
}

/** Rejects with USAGE, AGENT_CONFIG, or GATEWAY_FILE_INVALID with all that is wrong with the file. */
export async function toGatewayConfig(flags: GatewayFlags): Promise<GivenGateway> {
  if (flags.config === undefined) return { config: await fromFlags(flags), warningsText: "" };
  const { loadGatewayFile } = await import("../../../gateway/service/file/load-gateway-file.ts");
  const { parseListenAddress } = await import("../../../platform/http/listen-address.ts");
  const { config, warningsText } = await loadGatewayFile(flags.config);
  // Where it listens and keeps things may differ from one machine to the next; which fleets it keeps is the file's to say.
  const listen = flags.listen === undefined ? config.listen : parseListenAddress(flags.listen);
  const dataFolder = flags.data === undefined ? config.dataFolder : resolve(flags.data);
  return { config: { ...config, listen, dataFolder }, warningsText };
}

async function fromFlags(flags: GatewayFlags): Promise<GatewayConfig> {
  const { parseListenAddress } = await import("../../../platform/http/listen-address.ts");
  const { DEFAULT_GATEWAY_DATA, DEFAULT_GATEWAY_LISTEN } = await import("../../../gateway/service/gateway-config.ts");
  if (flags.repo === undefined)
    throw new OdoroboError("USAGE", "which fleet is to be kept? neither --config nor --repo was given", {
      hint: "odorobo gateway --repo URL --ref main for one fleet, --config gateway.yaml for more",
    });
  const file = (path: string | undefined) => (path === undefined ? null : resolve(path));
  return {
    listen: parseListenAddress(flags.listen ?? DEFAULT_GATEWAY_LISTEN),
    dataFolder: resolve(flags.data ?? DEFAULT_GATEWAY_DATA),
    publicUrl: null,
    door: { tokenFile: file(flags["listen-token-file"]), accessFile: file(flags["access-file"]), tls: null },
    fleets: [await toFleet(flags.repo, flags)],
  };
}

async function toFleet(url: string, flags: GatewayFlags): Promise<FleetConfig> {
  const { DEFAULT_INTERVAL_MS, SHORTEST_INTERVAL_MS } = await import("../../../gateway/service/gateway-config.ts");
  const intervalMs =
    flags.interval === undefined ? DEFAULT_INTERVAL_MS : parseMilliseconds(flags.interval, "--interval");
  if (intervalMs < SHORTEST_INTERVAL_MS) throw new OdoroboError("USAGE", "--interval is at least 1s");
  const credentials = {
    sshKeyFile: flags["ssh-key"],
    knownHostsFile: flags["known-hosts"],
    tokenFile: flags["repo-token-file"],
  };
  const given = Object.entries(credentials).flatMap(([name, path]) =>
    path === undefined ? [] : [[name, resolve(path)]],
  );
  return {
    name: flags.name ?? nameOf(url),
    repository: { url, ref: flags.ref ?? null, path: flags.path ?? null, ...Object.fromEntries(given) },
    intervalMs,
    requireSigned: null,
    allowRewind: flags["allow-rewind"] ?? false,
    ceiling: null,
    forge: null,
    notify: [],
    agents: toAccess(flags),
  };
}

/** `https://forge/team/fleet.git` → `fleet`. */
function nameOf(url: string): string {
  const last =
    basename(url.replace(/[/\\]+$/, "").replace(/\.git$/, ""))
      .split(":")
      .at(-1) ?? "";
  const name = last
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 63);
  return name === "" ? "fleet" : name;
}
