/** What a running guest has beyond its boot: where its disks and NICs sit by now, and which CPUs were plugged in. */
import { OdoroboError } from "../../../../model/errors.ts";
import type { LaunchInput } from "../../hypervisor.ts";
import { diskId, nicId } from "../device-ids.ts";
import { type CpuPlug, knownMachine, type QemuMachine } from "../machine.ts";
import { byPlace } from "../perform-changes.ts";
import type { QmpClient } from "../qmp/qmp.ts";
import { type PortKind, portIndexOf } from "../topology.ts";

const PERIPHERALS = "/machine/peripheral";

/** Rejects with UNSUPPORTED for a guest whose boot noted nothing. */
export async function describeMachine(vm: LaunchInput, qmp: QmpClient, signal: AbortSignal): Promise<QemuMachine> {
  const booted = knownMachine(vm);
  if (booted === null) throw notNoted(vm.name);
  const present = new Set((await qmp.call("qom-list", { path: PERIPHERALS }, { signal })).map(({ name }) => name));
  const placesOf = async (kind: PortKind, names: readonly string[], idOf: (name: string) => string) => {
    const places: Record<string, number> = {};
    for (const name of names) {
      if (!present.has(idOf(name))) continue;
      const bus = await qmp.call(
        "qom-get",
        { path: `${PERIPHERALS}/${idOf(name)}`, property: "parent_bus" },
        { signal },
      );
      const index = portIndexOf(kind, String(bus));
      if (index !== null) places[name] = index;
    }
    return places;
  };
  const slots = [...(await qmp.call("query-hotpluggable-cpus", { signal }))].sort(byPlace);
  const addedCpus = slots.flatMap((slot, index): CpuPlug[] =>
    index < booted.cpus || slot["qom-path"] === undefined
      ? []
      : [{ driver: slot.type, id: `cpu.${index}`, ...slot.props }],
  );
  return {
    ...booted,
    addedCpus,
    places: {
      disk: await placesOf(
        "disk",
        vm.spec.disks.map(({ name }) => name),
        diskId,
      ),
      nic: await placesOf(
        "nic",
        vm.spec.nics.map(({ name }) => name),
        nicId,
      ),
    },
  };
}

export const NOT_NOTED = "an agent of before started it, which did not note how: it can be moved after its next boot";

const notNoted = (name: string): OdoroboError =>
  new OdoroboError("UNSUPPORTED", `${name} cannot be moved while it runs: ${NOT_NOTED}`, {
    hint: `odorobo vm reboot ${name}`,
  });
