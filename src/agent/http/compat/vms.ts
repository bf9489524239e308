/** /vms and /vms/{id}: what there is, make one, look at it, destroy it. */
import { isOdoroboError } from "../../../model/errors.ts";
import type { VmName } from "../../../model/names.ts";
import type { VmReport } from "../../../model/observed-state.ts";
import { json } from "../../../platform/http/answers.ts";
import type { RawAnswer } from "../../lifecycle/lifecycle.ts";
import type { Call } from "../calls/call.ts";
import { hypervisorFailure, nothing } from "./answers.ts";
import { alreadyThere, createVm, findVm, nameOf, operate } from "./by-hand.ts";
import { readBoot, readOptionalConfig } from "./read-body.ts";
import { idOf, shellSpec, specOf } from "./vm-config.ts";
import { ping, versionHere, vmInfo } from "./vmm-view.ts";

export async function listVms({ parts, signal }: Call): Promise<Response> {
  const { vms } = await parts.lifecycle.report(signal);
  return json(
    200,
    vms.map((vm) => idOf(vm.name, vm.spec)),
  );
}

/** Without a configuration: a VM that gets one later, or takes in a guest from elsewhere. */
export async function spawnVm(call: Call): Promise<Response> {
  const { id, name } = nameOf(call);
  const boot = readBoot(call);
  if ("rejection" in boot) return boot.rejection;
  const config = await readOptionalConfig(call);
  if ("rejection" in config) return config.rejection;
  const { vms } = await call.parts.lifecycle.report(call.signal);
  if (vms.some((vm) => vm.name === name)) throw alreadyThere(name);
  if (config.value === null) {
    await createVm(call, name, shellSpec(id, name));
    return json(200, { info: null, booted: false, created_config: false });
  }
  const made = await createVm(call, name, specOf(id, name, config.value, await versionHere(call, null)));
  if (boot.value) await operate(call, name, { kind: "boot" });
  const { vm } = boot.value ? await findVm(call) : { vm: made };
  const info = await vmInfo(call, vm);
  return json(200, { info: info.status === 200 ? parsed(info) : null, booted: boot.value, created_config: true });
}

export async function getVmInfo(call: Call): Promise<Response> {
  const { vm } = await findVm(call);
  return passOn(call, await vmInfo(call, vm));
}

export async function pingVm(call: Call): Promise<Response> {
  const { vm } = await findVm(call);
  return passOn(call, await ping(call, vm));
}

/** At once, and without what its maker brought along. What is the agent's own (a fleet's disks) is kept as after any deletion. */
export async function destroyVm(call: Call): Promise<Response> {
  const { name, vm } = await findVm(call);
  const { tombstone } = await operate(call, name, { kind: "delete", graceSeconds: 0 });
  if (tombstone !== undefined && hasNothingToKeep(vm)) await purge(call, name);
  return nothing();
}

async function purge(call: Call, name: VmName): Promise<void> {
  try {
    await operate(call, name, { kind: "purge" });
  } catch (error) {
    // Its retention had ended: it is gone already.
    if (!isOdoroboError(error, "NOT_FOUND")) throw error;
  }
}

const hasNothingToKeep = ({ fleet, spec }: VmReport): boolean =>
  fleet === null && spec.disks.every((disk) => disk.origin.kind === "external") && spec.retainDisksSeconds === 0;

function passOn(call: Call, answer: RawAnswer): Response {
  if (answer.status !== 200) return hypervisorFailure(answer.status, answer.body, call.parts.clock);
  return json(200, parsed(answer));
}

const parsed = ({ body }: RawAnswer): unknown => JSON.parse(Buffer.from(body).toString());
