/** The agent's HTTP edge around a FakeLifecycle: its handler in this process, or behind a real socket. */
import { Consoles } from "../../src/agent/console/consoles.ts";
import { IN_PROCESS } from "../../src/agent/http/caller.ts";
import { ConsoleHub } from "../../src/agent/http/console/console-hub.ts";
import { createGate } from "../../src/agent/http/gate.ts";
import { createHandler } from "../../src/agent/http/handler.ts";
import { type Limits, serve, type TlsSettings } from "../../src/agent/http/node-server.ts";
import type { TokenFile } from "../../src/agent/http/token-file.ts";
import { parseListenAddress } from "../../src/agent/listen-address.ts";
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
  /** Where a test lets a guest's serial line begin. */
  readonly consoles: Consoles;
  stop(): void;
}

interface Options {
  readonly listen?: string;
  readonly token?: TokenFile | null;
  readonly tls?: TlsSettings | null;
  readonly limits?: Partial<Limits>;
  readonly heartbeatMs?: number;
  readonly lifecycle?: FakeLifecycle;
}

export async function handlerAgent(options: Options = {}): Promise<TestAgent> {
  const { lifecycle, consoles, handler, logged, stopping } = edge(options);
  return {
    lifecycle,
    consoles,
    logged,
    url: "",
    fetch: (path, init) => handler(new Request(`http://agent${path}`, init), IN_PROCESS),
    stop: () => stopping.abort(),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await consoles[Symbol.asyncDispose]();
    },
  };
}

export async function socketAgent(options: Options = {}): Promise<TestAgent> {
  const { lifecycle, consoles, handler, logged, stopping, log } = edge(options);
  const hub = new ConsoleHub({ lifecycle, consoles });
  const server = await serve({
    addresses: [parseListenAddress(options.listen ?? "127.0.0.1:0")],
    handler,
    gate: createGate({ token: options.token ?? null, clientCertificates: Boolean(options.tls?.clientCa) }),
    tls: options.tls ?? null,
    log,
    upgrade: (request, socket, head, caller) => hub.accept(request, socket, head, caller),
    limits: { drainMs: 1_000, ...options.limits },
  });
  const url = server.urls[0]!;
  return {
    lifecycle,
    consoles,
    logged,
    url,
    fetch: (path, init) => fetch(url + path, init),
    stop: () => stopping.abort(),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await hub[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
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
  const handler = createHandler({
    lifecycle,
    nodeName: "n1",
    version: "0.1.0",
    log,
    stopping: stopping.signal,
    ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
  });
  return { lifecycle, consoles, handler, logged, stopping, log };
}
