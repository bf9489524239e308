/** Who examines: the agent of a node, the agent of this machine, or, where none answers, this very command. */

import { parseAgentConfig } from "../../agent/config.ts";
import { doctorSettings } from "../../agent/doctor.ts";
import { writeBundle } from "../../doctor/bundle.ts";
import { examine } from "../../doctor/examine.ts";
import { thisHost } from "../../doctor/host.ts";
import { collectSupportTexts, type SupportTexts } from "../../doctor/support-texts.ts";
import type { DoctorReport } from "../../model/doctor-report.ts";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import { systemClock } from "../../platform/clock.ts";
import { packageVersion } from "../../platform/package-version.ts";
import { type AgentClient, connectAgent } from "../../wire/client.ts";
import { DEFAULT_AGENT_PORT } from "../../wire/routes.ts";
import { toAccess } from "./flags.ts";
import { type NodesFlags, reach } from "./vm-action.ts";

export interface Practice extends AsyncDisposable {
  /** For stderr: who was not asked, and why; null: nothing to say. */
  readonly note: string | null;
  examine(signal: AbortSignal): Promise<DoctorReport>;
  /** After `examine`. Rejects with FILE_UNWRITABLE, or FORBIDDEN for those who are no admins. */
  writeBundle(file: string, signal: AbortSignal): Promise<void>;
}

export interface PracticeFlags extends NodesFlags {
  readonly local?: boolean | undefined;
  readonly data?: string | undefined;
  readonly run?: string | undefined;
}

export async function openPractice(flags: PracticeFlags, signal: AbortSignal): Promise<Practice> {
  if (flags.agent !== undefined || flags.node !== undefined) return await ofNode(flags, signal);
  if (flags.local === true || flags.data !== undefined || flags.run !== undefined) return ofThisMachine(flags, null);
  const client = connectAgent({ ...toAccess(flags), address: `http://127.0.0.1:${DEFAULT_AGENT_PORT}` });
  try {
    const report = await client.doctor(signal);
    return ofAgent(client, async () => report, client);
  } catch (error) {
    await client.close();
    signal.throwIfAborted();
    if (!isOdoroboError(error)) throw error;
    const isNobody = error.code === "AGENT_UNREACHABLE";
    return ofThisMachine(
      flags,
      isNobody ? null : `The agent of this machine was not asked (${error.message}): --token-file lets you in.`,
    );
  }
}

async function ofNode(flags: PracticeFlags, signal: AbortSignal): Promise<Practice> {
  const reached = await reach(flags, signal);
  const [node] = reached.observed.nodes;
  if (node === undefined || node.reach === "silent") {
    await reached[Symbol.asyncDispose]();
    throw new OdoroboError("AGENT_UNREACHABLE", `${node?.name ?? "the node"} does not answer: ${node?.error ?? ""}`, {
      hint: "on that server, odorobo doctor looks without an agent",
    });
  }
  const client = reached.agents.of(node.name);
  return ofAgent(client, (within) => client.doctor(within), reached);
}

function ofAgent(
  client: AgentClient,
  examineThere: Practice["examine"],
  opened: AsyncDisposable | AgentClient,
): Practice {
  let node = "node";
  return {
    note: null,
    async examine(signal) {
      const report = await examineThere(signal);
      node = report.node ?? node;
      return report;
    },
    writeBundle: async (file, signal) => await write(file, node, await client.support(signal)),
    [Symbol.asyncDispose]: () => ("close" in opened ? opened.close() : opened[Symbol.asyncDispose]()),
  };
}

function ofThisMachine({ data, run }: PracticeFlags, note: string | null): Practice {
  const settings = doctorSettings(parseAgentConfig({ name: "this-machine", data, run }), null);
  let doctor: DoctorReport | null = null;
  return {
    note,
    async examine(signal) {
      const findings = await examine({ host: thisHost, settings, signal });
      doctor = { kind: "DoctorReport", version: 1, at: systemClock.now(), node: null, findings };
      return doctor;
    },
    async writeBundle(file, signal) {
      const found = doctor ?? (await this.examine(signal));
      const request = { host: thisHost, settings, signal, doctor: found, report: null };
      await write(file, "this-machine", await collectSupportTexts({ ...request, agentVersion: packageVersion() }));
    },
    async [Symbol.asyncDispose]() {},
  };
}

const write = (file: string, node: string, texts: SupportTexts): Promise<void> =>
  writeBundle(file, texts, { folder: `odorobo-support-${node}`, at: systemClock.now() });
