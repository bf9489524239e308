/** /vms/{id}/config: a VM gets its configuration after it was spawned, and loses it again. */
import { awaitsConfig } from "../../../model/awaits-config.ts";
import { OdoroboError } from "../../../model/errors.ts";
import type { Call } from "../calls/call.ts";
import { nothing } from "./answers.ts";
import { findVm, operate, replaceSpec } from "./by-hand.ts";
import { readBoot, readConfig } from "./read-body.ts";
import { shellSpec, specOf } from "./vm-config.ts";
import { canBeAsked, versionHere } from "./vmm-view.ts";

export async function putConfig(call: Call): Promise<Response> {
  const { id, name, vm } = await findVm(call);
  const boot = readBoot(call);
  if ("rejection" in boot) return boot.rejection;
  const config = await readConfig(call);
  if ("rejection" in config) return config.rejection;
  if (!awaitsConfig(vm.spec) || canBeAsked(vm))
    throw new OdoroboError("WRONG_PHASE", `${id} has a configuration already`, {
      hint:
        vm.fleet === null
          ? `to give it another, make it anew: odorobo vm destroy ${name}, or take the one away: DELETE /vms/${id}/config`
          : `fleet ${vm.fleet} gave it: change its manifest and apply`,
    });
  await replaceSpec(call, vm, specOf(id, name, config.value, await versionHere(call, null)));
  if (boot.value) await operate(call, name, { kind: "boot" });
  return nothing();
}

/** Pulls the plug of a guest that runs. */
export async function deleteConfig(call: Call): Promise<Response> {
  const { id, name, vm } = await findVm(call);
  if (vm.fleet !== null)
    throw new OdoroboError("FLEET_MISMATCH", `the configuration of ${id} is fleet ${vm.fleet}'s`, {
      hint: `take it out of the manifests and apply, or delete the VM: DELETE /vms/${id}`,
    });
  await operate(call, name, { kind: "shutdown", graceSeconds: 0 });
  if (awaitsConfig(vm.spec)) return nothing();
  await replaceSpec(call, (await findVm(call)).vm, shellSpec(id, name));
  return nothing();
}
