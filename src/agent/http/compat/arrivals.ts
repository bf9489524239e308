/**
 * A guest that came from another host into a VM that was spawned without a configuration brings its own. The VM learns it
 * from the guest, so that it is what boots from now on, and what the report shows.
 */
import { awaitsConfig } from "../../../model/awaits-config.ts";
import type { VmConfig } from "../../../model/cloud-hypervisor/vm-config.ts";
import { isOdoroboError } from "../../../model/errors.ts";
import type { VmReport } from "../../../model/observed-state.ts";
import type { Call } from "../calls/call.ts";
import { replaceSpec } from "./by-hand.ts";
import { idOf, specOf } from "./vm-config.ts";
import { canBeAsked, vmInfo } from "./vmm-view.ts";

/** Looks again at each event of the VM, until the guest is there or will not come. */
export function learnWhenArrived(call: Call, name: VmReport["name"]): void {
  const { lifecycle, log, stopping } = call.parts;
  const own: Call = { ...call, signal: stopping };
  let isLooking = false;
  const look = async () => {
    const vm = await lifecycle.vm(name, stopping).catch(() => null);
    if (vm === null || !awaitsConfig(vm.spec)) return end();
    if (canBeAsked(vm)) {
      await learn(own, vm);
      return end();
    }
    if (vm.phase === "stopped" || vm.phase === "crashed") end();
  };
  const lookOnce = () => {
    if (isLooking) return;
    isLooking = true;
    look()
      .catch((error) => log.warn({ err: error, vm: name }, "could not learn the configuration of a guest that arrived"))
      .finally(() => {
        isLooking = false;
      });
  };
  const unsubscribe = lifecycle.events.subscribe((event) => {
    // Told just before it is so.
    if (event.vm === name) setImmediate(lookOnce);
  });
  const end = () => {
    unsubscribe();
    stopping.removeEventListener("abort", end);
  };
  if (stopping.aborted) {
    end();
    return;
  }
  stopping.addEventListener("abort", end);
  lookOnce();
}

/** Does nothing for a VM that has its own configuration. What was missed when the agent started anew is learned before the guest is next touched. */
export async function learn(call: Call, vm: VmReport): Promise<void> {
  if (!awaitsConfig(vm.spec) || !canBeAsked(vm) || vm.spec.hypervisor !== "cloud-hypervisor") return;
  const info = await vmInfo(call, vm);
  if (info.status !== 200) return;
  const { config } = JSON.parse(Buffer.from(info.body).toString()) as { config: VmConfig };
  try {
    await replaceSpec(call, vm, specOf(idOf(vm.name, vm.spec), vm.name, config, null));
  } catch (error) {
    // Somebody else was faster, which is as good.
    if (!isOdoroboError(error, "STALE_GENERATION")) throw error;
  }
}
