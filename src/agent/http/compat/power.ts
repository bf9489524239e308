/** PUT /vms/{id}/boot, pause, resume, shutdown and acpi_shutdown: what is so already is done. */
import { awaitsConfig } from "../../../model/awaits-config.ts";
import { OdoroboError } from "../../../model/errors.ts";
import type { OperationArgs } from "../../../wire/operations.ts";
import type { Call, RouteHandler } from "../calls/call.ts";
import { nothing } from "./answers.ts";
import { learn } from "./arrivals.ts";
import { findVm, operate } from "./by-hand.ts";

const act =
  (args: OperationArgs): RouteHandler =>
  async (call) => {
    const { name, vm } = await findVm(call);
    // Before it may end: only the running guest knows what it was.
    await learn(call, vm);
    await operate(call, name, args);
    return nothing();
  };

export async function bootVm(call: Call): Promise<Response> {
  const { id, name, vm } = await findVm(call);
  if (awaitsConfig(vm.spec) && vm.phase === "stopped")
    throw new OdoroboError("WRONG_PHASE", `${id} has no configuration to boot`, {
      hint: `give it one: PUT /vms/${id}/config`,
    });
  await operate(call, name, { kind: "boot" });
  return nothing();
}

export const pauseVm = act({ kind: "pause" });
export const resumeVm = act({ kind: "resume" });
/** Pulls the plug; the configuration stays. */
export const shutdownVm = act({ kind: "shutdown", graceSeconds: 0 });
export const pressPowerButton = act({ kind: "power-button" });
