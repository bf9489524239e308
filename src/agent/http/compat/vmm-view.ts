/**
 * A VM as a client of Cloud Hypervisor's sees it: a process that is always there, with a configuration that is created,
 * running or paused. Here a process exists only while a guest runs; for the rest of the time its answers are made up.
 */

import { awaitsConfig } from "../../../model/awaits-config.ts";
import type { VmInfo, VmmPingResponse } from "../../../model/cloud-hypervisor/api.ts";
import { OdoroboError } from "../../../model/errors.ts";
import type { VmReport } from "../../../model/observed-state.ts";
import type { RawAnswer } from "../../lifecycle/lifecycle.ts";
import type { Call } from "../calls/call.ts";
import { configOf } from "./vm-config.ts";

/** Its process can be asked: it runs a guest, and does not wait for one from elsewhere, which blocks everything. */
export function canBeAsked({ phase, migration }: VmReport): boolean {
  return (phase === "running" || phase === "paused" || phase === "stopping") && migration?.role !== "destination";
}

/** `GET vm.info` */
export async function vmInfo(call: Call, vm: VmReport): Promise<RawAnswer> {
  requireCloudHypervisor(vm);
  if (canBeAsked(vm)) return ask(call, vm, "vm.info");
  if (awaitsConfig(vm.spec)) return jsonAnswer(404, ["The VM info is not available", "VM is not created"]);
  return jsonAnswer(200, await createdInfo(call, vm));
}

/** `GET vmm.ping` */
export async function ping(call: Call, vm: VmReport): Promise<RawAnswer> {
  const isCloudHypervisor = vm.spec.hypervisor === "cloud-hypervisor";
  if (isCloudHypervisor && canBeAsked(vm)) return ask(call, vm, "vmm.ping");
  const version = (await versionHere(call, vm)) ?? "unknown";
  const answer: VmmPingResponse = {
    build_version: isCloudHypervisor ? `v${version}` : `${vm.spec.hypervisor} ${version}`,
    version,
    ...(vm.pid === null ? {} : { pid: vm.pid }),
    features: [],
  };
  return jsonAnswer(200, answer);
}

/** Throws UNSUPPORTED. */
export function requireCloudHypervisor(vm: VmReport): void {
  const { hypervisor } = vm.spec;
  if (hypervisor === "cloud-hypervisor") return;
  throw new OdoroboError("UNSUPPORTED", `${vm.name} runs on ${hypervisor}, which knows no such call`, {
    hint: `what odorobo knows of it: GET /v1/vms/${vm.name}, or odorobo vm info ${vm.name}`,
  });
}

/** As the node's own binary says; null: there is none. */
export async function versionHere({ parts, signal }: Call, vm: VmReport | null): Promise<string | null> {
  const kind = vm?.spec.hypervisor ?? "cloud-hypervisor";
  const { hypervisors } = await parts.lifecycle.report(signal);
  return hypervisors.find((each) => each.kind === kind)?.version ?? null;
}

async function createdInfo(call: Call, vm: VmReport): Promise<VmInfo> {
  const config = configOf(vm.name, vm.spec, call.parts.paths(vm.name), await versionHere(call, vm));
  return { config, state: "Created", memory_actual_size: vm.spec.memory.sizeMiB * 1024 * 1024 };
}

const ask = (call: Call, vm: VmReport, path: string): Promise<RawAnswer> =>
  call.parts.lifecycle.raw(vm.name, { method: "GET", path, body: null }, call.signal);

const jsonAnswer = (status: number, value: unknown): RawAnswer => ({
  status,
  contentType: "application/json",
  body: Buffer.from(JSON.stringify(value)),
});
