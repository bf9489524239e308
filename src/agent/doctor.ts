/** The doctor of this agent's server: what the agent knows, and what there is to see around it. */

import type { KnownGuests, Settings } from "../doctor/examination.ts";
import { examine } from "../doctor/examine.ts";
import { thisHost } from "../doctor/host.ts";
import { collectSupportTexts, type SupportTexts } from "../doctor/support-texts.ts";
import type { DoctorReport } from "../model/doctor-report.ts";
import type { NodeReport } from "../model/observed-state.ts";
import type { Clock } from "../platform/clock.ts";
import type { AgentConfig, DrivenHypervisor } from "./config.ts";
import { tapName } from "./launch-command.ts";
import type { Lifecycle } from "./lifecycle/lifecycle.ts";

export interface AgentDoctor {
  examine(signal: AbortSignal): Promise<DoctorReport>;
  /** Texts by file name, without secrets. */
  support(signal: AbortSignal): Promise<SupportTexts>;
}

/** An examination starts half a dozen programs: whoever asks within this time is told what the last one was told. */
const FRESH_MS = 5_000;

export function createAgentDoctor(
  config: AgentConfig,
  lifecycle: Lifecycle,
  { version, clock }: { readonly version: string; readonly clock: Clock },
): AgentDoctor {
  const look = async (signal: AbortSignal) => {
    const report = await lifecycle.report(signal);
    const examination = { host: thisHost, settings: doctorSettings(config, report), signal };
    const findings = await examine(examination);
    const doctor: DoctorReport = {
      kind: "DoctorReport",
      version: 1,
      at: clock.now(),
      node: config.nodeName,
      findings,
    };
    return { report, doctor, examination };
  };
  return {
    examine: shared(clock, async (signal) => (await look(signal)).doctor),
    support: shared(clock, async (signal) => {
      const { report, doctor, examination } = await look(signal);
      return await collectSupportTexts({ ...examination, doctor, report, agentVersion: version });
    }),
  };
}

/** What an agent started so uses of its server. `report` null: none runs. */
export function doctorSettings(config: AgentConfig, report: NodeReport | null): Settings {
  const { tokenFile, accessFile, tls } = config;
  const tcp = config.listen.find((address) => address.kind === "tcp");
  return {
    dataFolder: config.dataFolder,
    runFolder: config.runFolder,
    hooksFolder: config.hooksFolder,
    secretFiles: {
      ...(tokenFile === null ? {} : { "token-file": tokenFile }),
      ...(accessFile === null ? {} : { "access-file": accessFile }),
      ...(tls === null ? {} : { "tls-key": tls.keyFile }),
    },
    hypervisors: config.hypervisors.map((kind) => ({ kind, executable: executableOf(kind, config) })),
    landlock: config.cloudHypervisor.landlock && config.hypervisors.includes("cloud-hypervisor"),
    supervisor: config.supervisor,
    bus: config.bus,
    port: tcp?.kind === "tcp" ? tcp.port : null,
    known: report === null ? null : knownTo(report),
  };
}

function executableOf(kind: DrivenHypervisor, { qemu, cloudHypervisor }: AgentConfig): string | null {
  switch (kind) {
    case "cloud-hypervisor":
      return cloudHypervisor.executable;
    case "qemu":
      return qemu.executable;
    case "noop":
      return null;
  }
}

function knownTo({ vms, unfinished, hypervisors }: NodeReport): KnownGuests {
  return {
    vms: vms.map((vm) => vm.name),
    pids: vms.flatMap((vm) => vm.pid ?? []),
    taps: vms.flatMap((vm) => [...vm.spec.nics, ...(vm.live?.nics ?? [])].map((nic) => tapName(vm.name, nic.name))),
    images: vms.flatMap((vm) =>
      (vm.images ?? []).flatMap(({ problem }) => (problem ? [{ vm: vm.name, ...problem }] : [])),
    ),
    isBusy: unfinished.length > 0 || vms.some((vm) => vm.phase === "starting" || vm.phase === "stopping"),
    accelerator: hypervisors.find((each) => each.kind === "qemu")?.accelerator ?? null,
  };
}

/** One at a time, for all who ask meanwhile; what one of them gives up, the others do not. */
function shared<Result>(
  clock: Clock,
  look: (signal: AbortSignal) => Promise<Result>,
): (signal: AbortSignal) => Promise<Result> {
  let last: { readonly at: number; readonly result: Promise<Result> } | null = null;
  return async (signal) => {
    if (last === null || clock.monotonicMs() - last.at > FRESH_MS) {
      const begun = { at: clock.monotonicMs(), result: look(new AbortController().signal) };
      last = begun;
      begun.result.catch(() => {
        if (last === begun) last = null;
      });
    }
    return await untilAborted(last.result, signal);
  };
}

function untilAborted<Result>(result: Promise<Result>, signal: AbortSignal): Promise<Result> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    result.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
