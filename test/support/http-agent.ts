/** The agent's HTTP edge around a FakeLifecycle: its handler in this process, or behind a real socket. */
import { parseAgentConfig } from "../../src/agent/config.ts";
import { Consoles } from "../../src/agent/console/consoles.ts";
import { createAgentDoctor } from "../../src/agent/doctor.ts";
import type { AuditEntry } from "../../src/agent/http/audit/audit-log.ts";
import { openAuditTrail } from "../../src/agent/http/audit/audit-trail.ts";
import { countVisits } from "../../src/agent/http/audit/count-visits.ts";
import type { Parts, Route } from "../../src/agent/http/calls/call.ts";
import { ConsoleHub } from "../../src/agent/http/console/console-hub.ts";
import { createHandler } from "../../src/agent/http/handler.ts";
import { serve } from "../../src/agent/http/node-server.ts";
import { vmPaths } from "../../src/agent/launch-command.ts";
import { AgentMetrics } from "../../src/agent/metrics/agent-metrics.ts";
import { type Clock, systemClock } from "../../src/platform/clock.ts";
import type { AccessFile } from "../../src/platform/http/door/access-file.ts";
import { type Caller, IN_PROCESS } from "../../src/platform/http/door/caller.ts";
import { createGate, type Gate } from "../../src/platform/http/door/gate.ts";
import type { Limits } from "../../src/platform/http/door/limits.ts";
import type { TokenFile } from "../../src/platform/http/door/token-file.ts";
import { WrongTokens } from "../../src/platform/http/door/wrong-tokens.ts";
import { parseListenAddress } from "../../src/platform/http/listen-address.ts";
import type { TlsSettings } from "../../src/platform/http/tls-files.ts";
import type { Logger } from "../../src/platform/logger.ts";
import { FakeLifecycle } from "./fake-lifecycle.ts";

export interface TestAgent extends AsyncDisposable {
  readonly lifecycle: FakeLifecycle;
  /** A path, answered in this process or over the socket. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Empty in-process. */
  readonly url: string;
  /** What went to the log. */
  readonly logged: { level: string; fields: object; message: string }[];
  /** What went to the audit log; empty in-process. */
  readonly audited: AuditEntry[];
  renewTls(settings: TlsSettings): void;
  /** Where a test lets a guest's serial line begin. */
  readonly consoles: Consoles;
  /** What routes hear of when the agent stops: who listens to it for ever leaks. */
  readonly stopping: AbortSignal;
  stop(): void;
}

interface Options {
  readonly listen?: string;
  readonly token?: TokenFile | null;
  readonly access?: AccessFile | null;
  /** Instead of the agent's own. */
  readonly gate?: Gate;
  /** For limits. */
  readonly clock?: Clock;
  readonly tls?: TlsSettings | null;
  readonly limits?: Partial<Limits>;
  readonly heartbeatMs?: number;
  readonly metricsPerVm?: boolean;
  readonly lifecycle?: FakeLifecycle;
  readonly allowedRoots?: readonly string[];
  /** Instead of the agent's own. */
  readonly routes?: readonly Route[];
}

/** Who asks is the test's to say. */
export interface HandlerAgent extends TestAgent {
  fetchAs(caller: Caller, path: string, init?: RequestInit): Promise<Response>;
}

export async function handlerAgent(options: Options = {}): Promise<HandlerAgent> {
  const { lifecycle, consoles, handler, logged, stopping } = edge(options);
  return {
    lifecycle,
    consoles,
    logged,
    audited: [],
    stopping: stopping.signal,
    renewTls: () => {},
    url: "",
    fetch: (path, init) => handler(new Request(`http://agent${path}`, init), IN_PROCESS),
    fetchAs: (caller, path, init) => handler(new Request(`http://agent${path}`, init), caller),
    stop: () => stopping.abort(),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await consoles[Symbol.asyncDispose]();
    },
  };
}

export async function socketAgent(options: Options = {}): Promise<TestAgent> {
  const { lifecycle, consoles, handler, logged, stopping, log, metrics } = edge(options);
  const { heartbeatMs } = options;
  const hub = new ConsoleHub({ lifecycle, consoles, log, ...(heartbeatMs === undefined ? {} : { heartbeatMs }) });
  const { clock = systemClock, token = null, access = null, tls = null } = options;
  const audited: AuditEntry[] = [];
  const auditLog = { write: (entry: AuditEntry) => void audited.push(entry), flushed: async () => {} };
  const trail = openAuditTrail({ ...auditLog, [Symbol.asyncDispose]: async () => {} }, lifecycle, clock);
  const audit = countVisits(trail, metrics);
  const server = await serve({
    addresses: [parseListenAddress(options.listen ?? "127.0.0.1:0")],
    handler,
    gate:
      options.gate ??
      createGate({
        token,
        access,
        clientCertificates: Boolean(tls?.clientCa),
        wrongTokens: new WrongTokens(clock),
      }),
    tls,
    log,
    clock,
    audit,
    upgrade: (request, socket, head, caller, onEnd) =>
      hub.accept(request, socket, head, caller, ({ typedBytes }) => onEnd(typedBytes)),
    limits: { drainMs: 1_000, ...options.limits },
  });
  const url = server.urls[0]!;
  return {
    lifecycle,
    consoles,
    logged,
    audited,
    stopping: stopping.signal,
    renewTls: server.renewTls,
    url,
    fetch: (path, init) => fetch(url + path, init),
    stop: () => stopping.abort(),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await hub[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      audit[Symbol.dispose]();
      await consoles[Symbol.asyncDispose]();
    },
  };
}

export const BOTH_WAYS = [
  ["in the process", handlerAgent],
  ["over a socket", socketAgent],
] as const;

function edge(options: Options) {
  const lifecycle = options.lifecycle ?? new FakeLifecycle();
  const logged: TestAgent["logged"] = [];
  const at = (level: string) => (fields: object, message: string) => void logged.push({ level, fields, message });
  const log: Logger = { info: at("info"), warn: at("warn"), error: at("error") };
  const consoles = new Consoles({ logger: log });
  const stopping = new AbortController();
  const metrics = new AgentMetrics({ nodeName: "n1", version: "0.1.0", perVm: options.metricsPerVm ?? false });
  const parts: Parts = {
    lifecycle,
    nodeName: "n1",
    version: "0.1.0",
    log,
    stopping: stopping.signal,
    clock: options.clock ?? systemClock,
    paths: (name) => vmPaths({ dataFolder: "/data", runFolder: "/run" }, name),
    urls: () => ["http://10.0.0.5:8890", "unix:///run/odorobo/agent.sock"],
    allowedRoots: options.allowedRoots ?? [],
    doctor: createAgentDoctor(parseAgentConfig({ name: "n1" }), lifecycle, { version: "0.1.0", clock: systemClock }),
    metrics: () => metrics.render(lifecycle.known()),
    ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
  };
  const handler = createHandler(parts, options.routes);
  return { lifecycle, consoles, handler, logged, stopping, log, metrics };
}
