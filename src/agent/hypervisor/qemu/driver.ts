/** QEMU as a Hypervisor: probe once, compile purely, connect over QMP. */
import { closeSync, constants, openSync } from "node:fs";
import { OdoroboError } from "../../../model/errors.ts";
import type { Hypervisor, LaunchInput } from "../hypervisor.ts";
import { type Attached, NOTHING_ATTACHED, readAttached } from "./attached.ts";
import { attachedFile, qmpSocket, toLaunchCommand } from "./compile.ts";
import { explainStart } from "./explain-start.ts";
import { QemuGuest } from "./guest.ts";
import type { QemuHost } from "./host.ts";
import { machineOf } from "./machine.ts";
import { admitGuest } from "./moving/incoming.ts";
import { type ProbedHost, probeQemu, type QemuSettings, toReport } from "./probe.ts";
import { QmpClient } from "./qmp/qmp.ts";
import { openSerialLine } from "./serial-line.ts";

/** Guests answer an ACPI unplug in 0.1 s, a native PCI Express one after 5 s (the time its button gives a person to change their mind). */
const DETACH_MS = 20_000;

const VHOST_NET = "/dev/vhost-net";

/** Its module may be loaded, or taken away, while the agent runs: asked anew for each start and each NIC. */
function opens(device: string): boolean {
  try {
    closeSync(openSync(device, constants.O_RDWR | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}

/** `probe` comes first: what the host has decides what `compile` writes. */
export function createQemuHypervisor(settings: QemuSettings): Hypervisor {
  let known: ProbedHost | null = null;
  const host = (): QemuHost => {
    if (known) return { ...known, vhostNet: opens(settings.vhostNetDevice ?? VHOST_NET) };
    throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `there is no usable ${settings.executable} on this node`, {
      hint: "install QEMU 6.2 or later (Debian: apt-get install qemu-system-x86), then restart the agent",
    });
  };
  const toGuest = async (vm: LaunchInput, qmp: QmpClient, attached: Attached, signal: AbortSignal) =>
    new QemuGuest({
      vm,
      host,
      qmp,
      serial: await openSerialLine(qmp, vm.paths, signal),
      attached,
      detachMs: settings.detachMs ?? DETACH_MS,
      clock: settings.clock,
    });
  return {
    kind: "qemu",
    disks: "real",
    async probe(signal) {
      known = await probeQemu(settings, signal);
      return known && toReport(known);
    },
    explainStart,
    machineOf: (vm) => machineOf(vm, host()),
    compile: (vm) => toLaunchCommand(vm, host()),
    async connect(vm, { fresh, signal }) {
      const attached = fresh ? NOTHING_ATTACHED : await readAttached(attachedFile(vm.paths));
      await using opened = new AsyncDisposableStack();
      const qmp = opened.use(await QmpClient.connect(qmpSocket(vm.paths), { signal }));
      const guest = await toGuest(vm, qmp, attached, signal);
      opened.move();
      return guest;
    },
    async admit(vm, { again, signal }) {
      await using opened = new AsyncDisposableStack();
      const qmp = opened.use(await QmpClient.connect(qmpSocket(vm.paths), { signal }));
      // All that it has was on the command line of its process here.
      const toGuestThen = (own: AbortSignal) => toGuest(vm, qmp, NOTHING_ATTACHED, own);
      const admission = await admitGuest({ vm, qmp, toGuest: toGuestThen }, again, signal);
      opened.move();
      return admission;
    },
  };
}
