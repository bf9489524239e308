/**
 * Composes what stands between a lifecycle and the network: secrets, gate, limits, audit log, handler, consoles, servers.
 *
 *   main.ts → [front.ts] → node-server.ts → handler.ts → lifecycle
 */
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { NodeReport } from "../../model/observed-state.ts";
import type { Clock } from "../../platform/clock.ts";
import { type AccessFile, openAccessFile } from "../../platform/http/door/access-file.ts";
import { createGate } from "../../platform/http/door/gate.ts";
import { requestRate } from "../../platform/http/door/limits.ts";
import { openTokenFile, type TokenFile } from "../../platform/http/door/token-file.ts";
import { WrongTokens } from "../../platform/http/door/wrong-tokens.ts";
import { isLocal } from "../../platform/http/listen-address.ts";
import { followTlsFiles, readTlsFiles, type TlsSettings } from "../../platform/http/tls-files.ts";
import type { Logger } from "../../platform/logger.ts";
import type { AgentConfig } from "../config.ts";
import type { Consoles } from "../console/consoles.ts";
import { createAgentDoctor } from "../doctor.ts";
import { vmPaths } from "../launch-command.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import type { AgentTally } from "../tally.ts";
import { createArrivalDoor } from "./arrival.ts";
import { openAuditLog } from "./audit/audit-log.ts";
import { openAuditTrail } from "./audit/audit-trail.ts";
import { countVisits } from "./audit/count-visits.ts";
import { ConsoleHub } from "./console/console-hub.ts";
import { createHandler } from "./handler.ts";
import { serve } from "./node-server.ts";

export interface Secrets {
  readonly token: TokenFile | null;
  readonly access: AccessFile | null;
  readonly tls: TlsSettings | null;
}

/** Before anything else is begun: an agent whose secrets are not in order does not start. Rejects with AGENT_INSECURE or AGENT_CONFIG. */
export async function readSecrets({ tokenFile, accessFile, tls }: AgentConfig): Promise<Secrets> {
  return {
    token: tokenFile === null ? null : await openTokenFile(tokenFile),
    access: accessFile === null ? null : await openAccessFile(accessFile),
    tls: tls === null ? null : await readTlsFiles(tls),
  };
}

export interface FrontOptions {
  readonly config: AgentConfig;
  readonly secrets: Secrets;
  readonly lifecycle: Lifecycle;
  readonly consoles: Consoles;
  readonly version: string;
  /** Counts, and tells Prometheus what was counted. */
  readonly metrics: AgentTally & { render(report: NodeReport): Promise<string> };
  readonly clock: Clock;
  readonly log: Logger;
}

/** Resolves when it answers; disposing lets nobody new in and ends what is open. Rejects with ADDRESS_IN_USE or AGENT_CONFIG. */
export async function openFront(
  options: FrontOptions,
): Promise<AsyncDisposable & { readonly urls: readonly string[] }> {
  const { config, secrets, lifecycle, consoles, version, metrics, clock, log } = options;
  const { token, access, tls } = secrets;
  const clientCertificates = tls !== null && tls.clientCa !== null;
  await using opened = new AsyncDisposableStack();
  const auditLog = opened.use(openAuditLog(join(config.dataFolder, "audit.log"), { clock, log }));
  const audit = countVisits(opened.use(openAuditTrail(auditLog, lifecycle, clock)), metrics);
  const stopping = new AbortController();
  const arrivals = createArrivalDoor(lifecycle);
  const hub = new ConsoleHub({ lifecycle, consoles, log });
  let urls: readonly string[] = [];
  let shown = tls;
  const server = opened.use(
    await serve({
      addresses: config.listen,
      handler: createHandler({
        lifecycle,
        nodeName: config.nodeName,
        version,
        clock,
        log,
        stopping: stopping.signal,
        paths: (name) => vmPaths(config, name),
        urls: () => urls,
        fingerprint: () => (shown === null ? null : fingerprintOf(shown)),
        allowedRoots: config.allowedRoots,
        doctor: createAgentDoctor(config, lifecycle, { version, clock }),
        metrics: () => metrics.render(lifecycle.known()),
      }),
      gate: createGate({ token, access, clientCertificates, wrongTokens: new WrongTokens(clock) }),
      tls,
      log,
      clock,
      audit,
      limits: { requests: requestRate(config.requestsPerSecond) },
      arrive: arrivals.arrive,
      upgrade: (request, socket, head, caller, onEnd) =>
        hub.accept(request, socket, head, caller, (session) => onEnd(session.typedBytes)),
    }),
  );
  urls = server.urls;
  const renew = (settings: TlsSettings) => {
    shown = settings;
    server.renewTls(settings);
  };
  if (config.tls !== null && tls !== null) opened.use(followTlsFiles(config.tls, { first: tls, onChange: renew, log }));
  opened.use(hub);
  opened.use(arrivals);
  opened.defer(() => {
    log.info({ node: config.nodeName }, "the agent stops; guests go on");
    stopping.abort();
  });
  await warnOfGaps(options, clientCertificates);
  const running = opened.move();
  return { urls: server.urls, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** SHA-256 of the certificate that connections from now on are shown, in hex. */
const fingerprintOf = ({ cert }: TlsSettings): string =>
  new X509Certificate(cert).fingerprint256.replaceAll(":", "").toLowerCase();

/** What is allowed and may not be meant. */
async function warnOfGaps({ config, secrets, log }: FrontOptions, clientCertificates: boolean): Promise<void> {
  if (secrets.tls === null && config.listen.some((address) => !isLocal(address)))
    log.warn({}, "the token crosses the network unencrypted; --tls-cert and --tls-key change that");
  const table = await secrets.access?.read().catch(() => null);
  if (table?.hasCertificates && !clientCertificates)
    log.warn({}, "the access file lists certificates, and without --tls-client-ca none is asked for");
  if (table?.size === 0 && secrets.token === null)
    log.warn({}, "the access file lists nobody: odorobo agent token adds a caller");
}
