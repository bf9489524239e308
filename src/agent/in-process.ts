/** An agent in the same process: AgentApi through the very handler that stands behind the sockets, JSON both ways. For tests and the bench. */
import { fromErrorBody, OdoroboError } from "../model/errors.ts";
import type { VmName } from "../model/names.ts";
import type { NodeReport } from "../model/observed-state.ts";
import { systemClock } from "../platform/clock.ts";
import { IN_PROCESS } from "../platform/http/door/caller.ts";
import { type Logger, silentLogger } from "../platform/logger.ts";
import type { AgentApi } from "../wire/agent-api.ts";
import { findAnswerError } from "../wire/check-shape.ts";
import { askIfNew, type KeptReports, keptAnswer } from "../wire/kept-reports.ts";
import { RUN_HEADER, routes } from "../wire/routes.ts";
import { parseAgentConfig } from "./config.ts";
import { createAgentDoctor } from "./doctor.ts";
import { createHandler } from "./http/handler.ts";
import { vmPaths } from "./launch-command.ts";
import type { Lifecycle } from "./lifecycle/lifecycle.ts";

/** Closing it leaves the lifecycle alone: that is its owner's. */
export function inProcessAgent(
  lifecycle: Lifecycle,
  options: { readonly nodeName?: string; readonly log?: Logger; readonly reports?: KeptReports } = {},
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
  const ask = async <Document>(
    method: string,
    path: string,
    { run, ...body }: { readonly run?: string },
    signal: AbortSignal,
  ): Promise<Document> => {
    signal.throwIfAborted();
    const headers = { "content-type": "application/json", ...(run === undefined ? {} : { [RUN_HEADER]: run }) };
    const init = { method, signal, headers, body: JSON.stringify(body) };
    const answer = await handler(new Request(`http://agent${path}`, init), IN_PROCESS);
    signal.throwIfAborted();
    const value = await answer.json();
    if (!answer.ok) throw fromErrorBody(value as Parameters<typeof fromErrorBody>[0]);
    return value as Document;
  };
  // As wire/client.ts does it over a socket.
  const askReport = async (signal: AbortSignal): Promise<NodeReport> => {
    const address = `in-process:${options.nodeName}`;
    const known = options.reports?.get(address) ?? null;
    const request = new Request(`http://agent${routes.report()}`, { headers: askIfNew(known), signal });
    const answer = await handler(request, IN_PROCESS);
    const header = (name: string) => answer.headers.get(name);
    const kept = keptAnswer(known, { status: answer.status, header });
    if (kept !== null) return kept;
    const value = await answer.json();
    if (!answer.ok) throw fromErrorBody(value as Parameters<typeof fromErrorBody>[0]);
    const problem = findAnswerError("node-report", value);
    if (problem !== null)
      throw new OdoroboError("AGENT_PROTOCOL", `${address} did not answer with a report: ${problem}`);
    const report = value as NodeReport;
    await options.reports?.set(address, header("etag") ?? "", report);
    return report;
  };
  return {
    report: askReport,
    putVm: (vm: VmName, request, signal) => ask("PUT", routes.vm(vm), request, signal),
    operate: (vm: VmName, request, signal) => ask("POST", routes.operations(vm), request, signal),
    close: async () => closed.abort(),
  };
}
