/** An agent in the same process: AgentApi through the very handler that stands behind the sockets, JSON both ways. For tests and the bench. */
import { fromErrorBody } from "../model/errors.ts";
import type { VmName } from "../model/names.ts";
import { systemClock } from "../platform/clock.ts";
import { type Logger, silentLogger } from "../platform/logger.ts";
import type { AgentApi } from "../wire/agent-api.ts";
import { routes } from "../wire/routes.ts";
import { parseAgentConfig } from "./config.ts";
import { createAgentDoctor } from "./doctor.ts";
import { IN_PROCESS } from "./http/door/caller.ts";
import { createHandler } from "./http/handler.ts";
import { vmPaths } from "./launch-command.ts";
import type { Lifecycle } from "./lifecycle/lifecycle.ts";

/** Closing it leaves the lifecycle alone: that is its owner's. */
export function inProcessAgent(
  lifecycle: Lifecycle,
  options: { readonly nodeName?: string; readonly log?: Logger } = {},
): AgentApi {
  const closed = new AbortController();
  const handler = createHandler({
    lifecycle,
    nodeName: options.nodeName ?? "in-process",
    version: "in-process",
    clock: systemClock,
    log: options.log ?? silentLogger,
    stopping: closed.signal,
    paths: (name) => vmPaths({ dataFolder: "/", runFolder: "/" }, name),
    urls: () => [],
    allowedRoots: [],
    doctor: createAgentDoctor(parseAgentConfig({ name: "in-process" }), lifecycle, {
      version: "in-process",
      clock: systemClock,
    }),
  });
  const ask = async <Document>(method: string, path: string, body: unknown, signal: AbortSignal): Promise<Document> => {
    signal.throwIfAborted();
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const answer = await handler(new Request(`http://agent${path}`, { method, signal, ...init }), IN_PROCESS);
    signal.throwIfAborted();
    const value = await answer.json();
    if (!answer.ok) throw fromErrorBody(value as Parameters<typeof fromErrorBody>[0]);
    return value as Document;
  };
  return {
    report: (signal) => ask("GET", routes.report(), undefined, signal),
    putVm: (vm: VmName, request, signal) => ask("PUT", routes.vm(vm), request, signal),
    operate: (vm: VmName, request, signal) => ask("POST", routes.operations(vm), request, signal),
    close: async () => closed.abort(),
  };
}
