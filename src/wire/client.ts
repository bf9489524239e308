/**
 * An agent over HTTP: AgentApi, and what a person at a terminal wants beside it.
 *
 *   observe/, apply/, commands/ → [client.ts] → transport.ts → the agent's node-server.ts
 */
import type { DoctorReport } from "../model/doctor-report.ts";
import type { NodeImage, Pruned, PruneRequest } from "../model/image-fetch.ts";
import type { VmName } from "../model/names.ts";
import type { NodeReport, VmReport, Whereabouts } from "../model/observed-state.ts";
import type { AgentApi } from "./agent-api.ts";
import { callHypervisor, giveConfig, type HypervisorAnswer, type HypervisorCall, spawnVm } from "./by-hand.ts";
import { findAnswerError } from "./check-shape.ts";
import type { ConsoleOptions } from "./console-protocol.ts";
import type { CredentialSettings } from "./credentials.ts";
import { withDeadline } from "./deadline.ts";
import { type EventLine, followEvents, pastEvents } from "./follow-events.ts";
import { fetchImage, listImages, pruneImages } from "./images.ts";
import { askIfNew, type KeptReports, keptAnswer } from "./kept-reports.ts";
import type { Lease, LeaseRequest } from "./lease.ts";
import { look } from "./look.ts";
import { type ConsoleConnection, openConsole } from "./open-console.ts";
import type { AgentEvent, OperationRequest, OperationResult, PutVmRequest } from "./operations.ts";
import { DEFAULT_PATIENCE, type Patience, performOperation } from "./perform-operation.ts";
import { readNodeReport } from "./read-report.ts";
import { RUN_HEADER, routes } from "./routes.ts";
import { type Question, Transport } from "./transport.ts";

export interface ConnectOptions extends CredentialSettings {
  /** `http://host:port`, `https://host:port` or `unix:///path`. */
  readonly address: string;
  readonly connectMs?: number;
  /** For the whole of a question that is answered at once (report, vm). */
  readonly answerMs?: number;
  readonly patience?: Partial<Patience>;
  /** Left out: each report comes whole. */
  readonly reports?: KeptReports;
}

export interface AgentClient extends AgentApi {
  /** As given, for people. */
  readonly address: string;
  vm(name: VmName, signal: AbortSignal): Promise<VmReport>;
  /** How far an operation is. Rejects with NOT_FOUND for one that it never had. */
  operation(id: string, signal: AbortSignal): Promise<OperationResult>;
  /** The serial log's last lines, and with `follow` what is added until the signal. */
  followLog(name: VmName, options: LogOptions, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** What happens from now on, or after an event that was seen. Comes back by itself after a cut. */
  events(after: number | null, signal: AbortSignal, line?: EventLine): AsyncIterable<AgentEvent>;
  /** What it remembers since it began, oldest first. An agent of before may say `reset` alone: it does not tell. */
  pastEvents(signal: AbortSignal): Promise<readonly AgentEvent[]>;
  /** Without options: ends when the guest is off, and what is typed goes to the guest. */
  openConsole(name: VmName, signal: AbortSignal, options?: ConsoleOptions): Promise<ConsoleConnection>;
  doctor(signal: AbortSignal): Promise<DoctorReport>;
  /** Texts for a support archive, by file name. For admins. */
  support(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** By device, as the hypervisor names and counts. */
  counters(name: VmName, signal: AbortSignal): Promise<GuestCounters>;
  /** `config`: a VmConfig as Cloud Hypervisor has it; null: it comes later. */
  spawnVm(name: VmName, config: unknown, signal: AbortSignal): Promise<void>;
  giveConfig(name: VmName, config: unknown, signal: AbortSignal): Promise<void>;
  callHypervisor(name: VmName, call: HypervisorCall, signal: AbortSignal): Promise<HypervisorAnswer>;
  fetchImage: NonNullable<AgentApi["fetchImage"]>;
  /** What its node has fetched, and who stands on it. */
  images(signal: AbortSignal): Promise<readonly NodeImage[]>;
  pruneImages(request: PruneRequest, signal: AbortSignal): Promise<Pruned>;
  /** Resolves when the agent has it on disk. */
  tellWhereabouts(told: Whereabouts, signal: AbortSignal): Promise<void>;
  /** Who has it then. Of an agent that knows of no leases: rejects with NOT_FOUND. */
  lease(fleet: string, request: LeaseRequest, signal: AbortSignal): Promise<Lease>;
}

export type GuestCounters = Readonly<Record<string, Readonly<Record<string, number>>>>;

export interface LogOptions {
  /** Null: the agent's default. */
  readonly tailLines: number | null;
  /** Instead, of what is not followed. Agents of before go by lines. */
  readonly tailBytes?: number;
  readonly follow: boolean;
}

const CONNECT_MS = 3_000;
const ANSWER_MS = 10_000;
/** A server whose programs hang is examined for some seconds; that is when a doctor is asked. */
const EXAMINATION_MS = 60_000;

/** Opens nothing yet: the first question connects. Throws USAGE for an address that is none. */
export function connectAgent(options: ConnectOptions): AgentClient {
  const transport = new Transport(options.address, options, options.connectMs ?? CONNECT_MS);
  const answerMs = options.answerMs ?? ANSWER_MS;
  const patience = { ...DEFAULT_PATIENCE, ...options.patience };

  const get = async <Document>(
    path: string,
    document: "doctor-report" | null,
    what: string,
    signal: AbortSignal,
    withinMs = answerMs,
  ) => {
    const value = await withDeadline(withinMs, signal, transport.address.text, (within) =>
      transport.askJson({ method: "GET", path, headersMs: withinMs, silenceMs: withinMs, signal: within }, what),
    );
    const problem = document === null ? null : findAnswerError(document, value);
    if (problem !== null) throw transport.protocolError(`answered with something else than ${what}: ${problem}`);
    return value as Document;
  };

  const perform = (
    method: "PUT" | "POST",
    path: string,
    { run, ...body }: { id: string; run?: string },
    title: string,
    signal: AbortSignal,
  ) => {
    const headers = run === undefined ? {} : { [RUN_HEADER]: run };
    const heldOpenMs = patience.waitSeconds * 1000 + answerMs;
    const wait = `?waitSeconds=${patience.waitSeconds}`;
    const ask = async (question: Pick<Question, "method" | "path" | "body" | "headers">): Promise<OperationResult> => {
      // Half an answer is a cut connection here: the operation can be asked for again.
      const asked = {
        ...question,
        headersMs: heldOpenMs,
        silenceMs: answerMs,
        signal,
        brokenOff: "AGENT_UNREACHABLE",
      } as const;
      const value = await transport.askJson(asked, "a result");
      const problem = findAnswerError("operation-result", value);
      if (problem !== null) throw transport.protocolError(`answered with something else than a result: ${problem}`);
      const result = value as OperationResult;
      if (result.id !== body.id) throw transport.protocolError("answered with the result of another operation");
      return result;
    };
    const exchange = {
      title: `${title} on ${transport.address.text}`,
      send: () => ask({ method, path: path + wait, body, headers }),
      join: () => ask({ method: "GET", path: routes.operation(body.id) + wait }),
    };
    return performOperation(exchange, patience.awayMs, signal);
  };

  return {
    address: transport.address.text,
    report: (signal) =>
      withDeadline(answerMs, signal, transport.address.text, (within) =>
        askReport(transport, options.reports ?? null, answerMs, within),
      ),
    vm: (name, signal) => get<VmReport>(routes.vm(name), null, "a VM", signal),
    putVm: (name, request: PutVmRequest, signal) =>
      perform("PUT", routes.vm(name), request, `giving ${name} its spec`, signal),
    operate: (name, request: OperationRequest, signal) =>
      perform("POST", routes.operations(name), request, `${request.kind} of ${name}`, signal),
    async operation(id, signal) {
      const value = await get<OperationResult>(routes.operation(id), null, "a result", signal);
      const problem = findAnswerError("operation-result", value);
      if (problem !== null) throw transport.protocolError(`answered with something else than a result: ${problem}`);
      return value;
    },
    lookFor: (questions, signal) => look(transport, questions, answerMs, signal),
    fetchImage: (wish, onProgress, signal) =>
      fetchImage(transport, wish, { answerMs, awayMs: patience.awayMs }, onProgress, signal),
    images: (signal) => listImages(transport, answerMs, signal),
    pruneImages: (request, signal) => pruneImages(transport, request, answerMs, signal),
    async *followLog(name, { tailLines, tailBytes, follow }, signal) {
      const query = new URLSearchParams();
      if (tailLines !== null) query.set("tailLines", String(tailLines));
      if (tailBytes !== undefined) query.set("tailBytes", String(tailBytes));
      if (follow) query.set("follow", "1");
      const path = `${routes.log(name)}?${query}`;
      yield* await transport.askStream(
        { method: "GET", path, headersMs: answerMs, silenceMs: follow ? 0 : answerMs, signal },
        "text/plain",
        "a log",
      );
    },
    events: (after, signal, line) =>
      followEvents(transport, after, { answerMs, awayMs: patience.awayMs }, signal, line),
    pastEvents: (signal) => pastEvents(transport, answerMs, signal),
    openConsole: (name, signal, options = { follow: false, readonly: false }) =>
      openConsole(transport, name, options, answerMs, signal),
    doctor: (signal) => get<DoctorReport>(routes.doctor(), "doctor-report", "what it found", signal, EXAMINATION_MS),
    async support(signal) {
      const value = await get<unknown>(routes.support(), null, "texts", signal, EXAMINATION_MS);
      const texts = textsIn(value);
      if (texts === null) throw transport.protocolError("answered with something else than texts");
      return texts;
    },
    counters: (name, signal) => get<GuestCounters>(routes.counters(name), null, "counters", signal),
    spawnVm: (name, config, signal) => spawnVm(transport, name, config, signal),
    giveConfig: (name, config, signal) => giveConfig(transport, name, config, signal),
    callHypervisor: (name, call, signal) => callHypervisor(transport, name, call, signal),
    async tellWhereabouts(told, signal) {
      const path = routes.whereabouts(told.fleet);
      await withDeadline(answerMs, signal, transport.address.text, (within) =>
        transport.askJson(
          { method: "PUT", path, body: told, headersMs: answerMs, silenceMs: answerMs, signal: within },
          "that it has noted the whereabouts",
        ),
      );
    },
    async lease(fleet, request, signal) {
      const value = await withDeadline(answerMs, signal, transport.address.text, (within) =>
        transport.askJson(
          {
            ...{ method: "PUT", path: routes.lease(fleet), body: request },
            ...{ headersMs: answerMs, silenceMs: answerMs, signal: within },
          },
          "who turns the fleet",
        ),
      );
      const problem = findAnswerError("lease", value);
      if (problem !== null) throw transport.protocolError(`answered with no lease: ${problem}`);
      return value as Lease;
    },
    close: () => transport.close(),
  };
}

/** From what was kept, when the agent says that this is still all. */
async function askReport(
  transport: Transport,
  reports: KeptReports | null,
  answerMs: number,
  signal: AbortSignal,
): Promise<NodeReport> {
  const address = transport.address.text;
  const known = reports?.get(address) ?? null;
  const question = { method: "GET", path: routes.report(), headersMs: answerMs, silenceMs: answerMs, signal } as const;
  const answer = await transport.ask({ ...question, headers: askIfNew(known) });
  const kept = keptAnswer(known, answer);
  // Its body, which is empty, must be read all the same: the connection is free only then.
  if (kept !== null) {
    for await (const _ of answer.body);
    return kept;
  }
  const value = await transport.readJson(answer, "a report");
  const report = readNodeReport(value);
  if (typeof report === "string")
    throw transport.protocolError(`answered with something else than a report: ${report}`);
  const tag = answer.header("etag");
  // Only what was right as it came is kept.
  if (tag === null || report !== value || reports === null) return report;
  return await reports.set(address, tag, report);
}

function textsIn(value: unknown): Readonly<Record<string, string>> | null {
  const texts = (value as { texts?: unknown } | null)?.texts;
  if (typeof texts !== "object" || texts === null) return null;
  const entries = Object.entries(texts);
  // They become files: a name is a name, and no path.
  const areTexts = entries.every(([name, text]) => /^\w[\w.-]*$/.test(name) && typeof text === "string");
  return areTexts ? (Object.fromEntries(entries) as Record<string, string>) : null;
}
