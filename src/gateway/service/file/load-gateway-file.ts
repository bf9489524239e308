/**
 * `gateway.yaml` → GatewayConfig, or all that is wrong with it and with the files that it names, at once.
 *
 *   manifest/gateway/ → [load-gateway-file.ts], named-files.ts → gateway.ts
 */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { readGatewayFile } from "../../../manifest/gateway/read-gateway-file.ts";
import { showGatewayLine } from "../../../manifest/gateway/show-gateway-line.ts";
import { type Diagnostic, hasErrors, sortDiagnostics } from "../../../manifest/text/diagnostic.ts";
import type { GatewayClusterEntry, GatewayFile, GatewayFleetEntry } from "../../../manifest/text/gateway-schema.ts";
import { renderDiagnostics } from "../../../manifest/text/render-diagnostics.ts";
import { parseDurationMs } from "../../../manifest/vm/quantities.ts";
import { OdoroboError } from "../../../model/errors.ts";
import { parseListenAddress } from "../../../platform/http/listen-address.ts";
import type { ClusterSettings } from "../../cluster/cluster.ts";
import {
  DEFAULT_GATEWAY_DATA,
  DEFAULT_GATEWAY_LISTEN,
  DEFAULT_INTERVAL_MS,
  type FleetConfig,
  type GatewayConfig,
  NOTIFY_TOPICS,
} from "../gateway-config.ts";
import { DEFAULT_SCOPES } from "../oidc/oidc-config.ts";
import { DEFAULT_SESSION_MS } from "../page/sessions.ts";
import { checkNamedFiles } from "./named-files.ts";

export interface LoadedGateway {
  readonly config: GatewayConfig;
  /** What has no effect, with its place; empty: nothing. For people. */
  readonly warningsText: string;
}

/** Rejects with GATEWAY_FILE_INVALID when the file cannot be read, or is not as it should be. */
export async function loadGatewayFile(path: string): Promise<LoadedGateway> {
  const text = await readFile(path, "utf8").catch((cause) => {
    throw new OdoroboError("GATEWAY_FILE_INVALID", `cannot read ${path}`, {
      cause,
      hint: "is the path right, and may this user read it?",
    });
  });
  const reading = readGatewayFile(text, path);
  const base = dirname(resolve(path));
  const named = await checkNamedFiles(reading.written, base);
  const diagnostics = sortDiagnostics([
    ...reading.diagnostics,
    ...named.map(({ at, ...finding }) => reading.diagnose(at, finding)),
  ]);
  const show = (some: readonly Diagnostic[]) => renderDiagnostics(some, [{ path, text }], showGatewayLine).trimEnd();
  if (reading.file === null || hasErrors(diagnostics)) {
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    const count = `${errors.length} ${errors.length === 1 ? "mistake" : "mistakes"} in ${path}`;
    throw new OdoroboError("GATEWAY_FILE_INVALID", `${count}\n\n${show(errors)}`);
  }
  return { config: toConfig(reading.file, base), warningsText: show(diagnostics) };
}

function toConfig(file: GatewayFile, base: string): GatewayConfig {
  const at = (path: string | undefined) => (path === undefined ? null : resolve(base, path));
  const { tls } = file;
  return {
    ...(file.cluster === undefined ? {} : { cluster: toCluster(file.cluster, base) }),
    listen: parseListenAddress(file.listen ?? DEFAULT_GATEWAY_LISTEN),
    dataFolder: resolve(base, file.data ?? DEFAULT_GATEWAY_DATA),
    publicUrl: file.publicUrl?.replace(/\/+$/, "") ?? null,
    door: {
      tokenFile: at(file.tokenFile),
      accessFile: at(file.accessFile),
      tls:
        tls === undefined
          ? null
          : {
              certFile: resolve(base, tls.certFile),
              keyFile: resolve(base, tls.keyFile),
              clientCaFile: at(tls.clientCaFile),
            },
    },
    ...(file.signIn === undefined ? {} : { signIn: toSignIn(file.signIn, at) }),
    fleets: file.fleets.map((fleet) => toFleet(fleet, base)),
  };
}

function toCluster({ name, epoch, etcd }: GatewayClusterEntry, base: string): ClusterSettings {
  const at = (path: string | undefined) => (path === undefined ? null : resolve(base, path));
  const { endpoints, tls, prefix = "/odorobo/", leaseSeconds = 5 } = etcd;
  return {
    ...{ name: name ?? null, epoch: epoch ?? 0, endpoints, leaseSeconds },
    prefix: prefix.endsWith("/") ? prefix : `${prefix}/`,
    tls:
      tls === undefined
        ? null
        : { caFile: resolve(base, tls.caFile), certFile: at(tls.certFile), keyFile: at(tls.keyFile) },
  };
}

function toSignIn(
  { lifetime, oidc }: NonNullable<GatewayFile["signIn"]>,
  at: (path: string | undefined) => string | null,
): NonNullable<GatewayConfig["signIn"]> {
  const sessionMs = millisecondsOf(lifetime) ?? DEFAULT_SESSION_MS;
  if (oidc === undefined) return { sessionMs, oidc: null };
  const { issuer, clientId, clientSecretFile, name, scopes, rolesClaim, roles } = oidc;
  return {
    sessionMs,
    oidc: {
      ...{ issuer, clientId, clientSecretFile: at(clientSecretFile), rolesClaim, roles },
      name: name ?? new URL(issuer).hostname,
      scopes: scopes ?? DEFAULT_SCOPES,
    },
  };
}

function toFleet(entry: GatewayFleetEntry, base: string): FleetConfig {
  const at = (path: string) => resolve(base, path);
  const { url, ref, path, username, ...files } = entry.repository;
  const given = Object.entries(files).flatMap(([name, file]) => (file === undefined ? [] : [[name, at(file)]]));
  const { agents, forge, ceiling } = entry;
  return {
    name: entry.name,
    repository: {
      url: isFolder(url) ? at(url) : url,
      ref: ref ?? null,
      path: path ?? null,
      ...(username === undefined ? {} : { username }),
      ...Object.fromEntries(given),
    },
    intervalMs: millisecondsOf(entry.interval) ?? DEFAULT_INTERVAL_MS,
    requireSigned: entry.requireSigned === undefined ? null : at(entry.requireSigned),
    allowRewind: entry.allowRewind ?? false,
    ceiling: ceiling ?? null,
    forge: forge === undefined ? null : toForge(forge, at),
    notify: (entry.notify ?? []).map(({ kind, urlFile, on }) => ({
      kind,
      urlFile: at(urlFile),
      on: on ?? NOTIFY_TOPICS,
    })),
    agents: {
      ...(agents?.tokenFile === undefined ? {} : { tokenFile: at(agents.tokenFile) }),
      tls: Object.fromEntries(
        Object.entries(agents?.tls ?? {}).flatMap(([name, file]) => (file === undefined ? [] : [[name, at(file)]])),
      ),
      ...(agents?.timeout === undefined ? {} : { answerMs: millisecondsOf(agents.timeout) ?? 0 }),
    },
  };
}

function toForge(
  {
    kind,
    url,
    repository,
    tokenFile,
    caFile,
    hookSecretFile,
    pullRequests,
    forks,
  }: NonNullable<GatewayFleetEntry["forge"]>,
  at: (path: string) => string,
): FleetConfig["forge"] {
  const isTold = url !== undefined && repository !== undefined && tokenFile !== undefined;
  return {
    kind,
    api: isTold
      ? {
          ...{ url: url.replace(/\/+$/, ""), repository, tokenFile: at(tokenFile) },
          ...(caFile === undefined ? {} : { caFile: at(caFile) }),
        }
      : null,
    hookSecretFile: hookSecretFile === undefined ? null : at(hookSecretFile),
    pullRequests: pullRequests ?? false,
    ...(forks === true ? { forks } : {}),
  };
}

/** `./fleet`, `../fleet.git`, `/srv/git/fleet.git`: no scheme, and no host before a colon. */
const isFolder = (url: string): boolean => /^[./]/.test(url);

function millisecondsOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const parsed = parseDurationMs(text);
  return parsed.ok ? parsed.value : null;
}
