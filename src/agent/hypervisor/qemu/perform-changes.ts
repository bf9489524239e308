/** Makes live changes true over QMP. Each can be begun again after an agent died in the middle of it. */
import { OdoroboError } from "../../../model/errors.ts";
import type { Disk, Nic } from "../../../model/vm-spec.ts";
import type { LaunchInput } from "../hypervisor.ts";
import type { Releasing } from "./attached.ts";
import { blockNode, diskDevice } from "./block-node.ts";
import { deviceIdOf, diskId, isDiskId, nicId } from "./device-ids.ts";
import type { QemuHost } from "./host.ts";
import { addForward, removeForward } from "./host-forwards.ts";
import type { LiveChange } from "./live-changes.ts";
import { netBackend, nicDevice } from "./net-backend.ts";
import { asQmpArguments } from "./option-text.ts";
import type { QmpClient } from "./qmp/qmp.ts";
import type { CpuSlot } from "./qmp/qmp-commands.ts";
import { maxPorts, type PortKind, placeInPort } from "./topology.ts";

const MIB = 1024 * 1024;

/** Where QEMU keeps the devices that were given an id. */
const PERIPHERALS = "/machine/peripheral";

export interface ChangeContext {
  readonly vm: LaunchInput;
  readonly host: QemuHost;
  readonly qmp: QmpClient;
  /** How long a guest may take to let go of a device. */
  readonly detachMs: number;
  readonly signal: AbortSignal;
  /** Notes what is about to be attached, durably. */
  readonly remember: (item: { readonly disk: Disk } | { readonly nic: Nic }) => Promise<void>;
  /** Notes what the guest is about to be asked to let go of, durably. True: it was asked before, and has not let go. */
  readonly noteReleasing: (device: Device) => Promise<boolean>;
  /** Nothing of it is left. */
  readonly noteReleased: (device: Device) => Promise<void>;
}

export type Device = Pick<Releasing, "list" | "name">;

export async function performChange(change: LiveChange, context: ChangeContext): Promise<void> {
  switch (change.kind) {
    case "add-cpus":
      return addCpus(change.count, context);
    case "grow-disk":
      await context.qmp.call("block_resize", { "node-name": diskId(change.name), size: change.sizeMiB * MIB }, context);
      return;
    case "detach-disk":
      return detach({ list: "disks", name: change.name }, context);
    case "attach-disk":
      return attachDisk(change.disk, context);
    case "detach-nic":
      return detach({ list: "nics", name: change.name }, context);
    case "attach-nic":
      return attachNic(change.nic, context);
    case "remove-forward":
      return removeForward(change.nic, change.forward, context.qmp, context.signal);
    case "add-forward":
      return addForward(change.nic, change.forward, context.qmp, context.signal);
  }
}

/** In the order of their places, so that the same count is always the same CPUs. */
async function addCpus(count: number, { qmp, signal }: ChangeContext): Promise<void> {
  const slots = [...(await qmp.call("query-hotpluggable-cpus", { signal }))].sort(byPlace);
  for (const [index, slot] of slots.slice(0, count).entries()) {
    if (slot["qom-path"] !== undefined) continue;
    await qmp.call("device_add", { driver: slot.type, id: `cpu.${index}`, ...slot.props }, { signal });
  }
}

export function byPlace(a: CpuSlot, b: CpuSlot): number {
  for (const key of ["socket-id", "die-id", "core-id", "thread-id"]) {
    const difference = (a.props[key] ?? 0) - (b.props[key] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

async function attachDisk(disk: Disk, context: ChangeContext): Promise<void> {
  const { qmp, signal, vm } = context;
  const place = await freePlace("disk", `disk ${disk.name}`, context);
  await removeUnusedNodes(context);
  await context.remember({ disk });
  await qmp.call("blockdev-add", blockNode(disk, vm.paths), { signal });
  try {
    await qmp.call("device_add", { driver: "virtio-blk-pci", ...diskDevice(disk), ...place }, { signal });
  } catch (error) {
    await qmp.call("blockdev-del", { "node-name": diskId(disk.name) }, { signal }).catch(() => {});
    throw error;
  }
}

async function attachNic(nic: Nic, context: ChangeContext): Promise<void> {
  const { qmp, signal, vm, host } = context;
  const place = await freePlace("nic", `NIC ${nic.name}`, context);
  await removeNetdev(nic.name, context);
  await context.remember({ nic });
  const backend = netBackend(vm.name, nic, host);
  if (backend) await qmp.call("netdev_add", asQmpArguments({ type: backend.type, ...backend.properties }), { signal });
  try {
    await qmp.call("device_add", { driver: "virtio-net-pci", ...nicDevice(nic), ...place }, { signal });
  } catch (error) {
    await removeNetdev(nic.name, context);
    throw error;
  }
}

/** A guest that does not let go holds the device until it does, or until its reset: no failure. */
async function detach(device: Device, context: ChangeContext): Promise<void> {
  // It had its time; what it was asked in its firmware it never heard.
  if (await context.noteReleasing(device)) return askToRelease(deviceIdOf(device), context);
  if (!(await waitUntilReleased(deviceIdOf(device), context))) return;
  await removeRemains([device], context);
  await context.noteReleased(device);
}

/** What stands behind devices that are gone: as long as it is there, the process has their files and taps open. */
export async function removeRemains(
  devices: readonly Device[],
  context: Pick<ChangeContext, "qmp" | "signal">,
): Promise<void> {
  if (devices.some(({ list }) => list === "disks")) await removeUnusedNodes(context);
  for (const { list, name } of devices) if (list === "nics") await removeNetdev(name, context);
}

/** How often a guest that does not answer is asked again: a request that comes in the time of its firmware is lost. */
const ASK_AGAIN_MS = 2000;

/**
 * Asks the guest to let go and waits until it did: true. DEVICE_DELETED comes for the device's inner parts first, without
 * `data.device`; only the one that names it means that it is gone. A guest without hot-plug support never answers, and QEMU
 * then removes the device at the guest's next reset; one that says no is asked no more.
 */
async function waitUntilReleased(id: string, context: ChangeContext): Promise<boolean> {
  const { qmp, signal, detachMs } = context;
  const answer = Promise.withResolvers<boolean>();
  answer.promise.catch(() => {});
  const stop = qmp.onEvent(({ event, data }) => {
    if (data.device !== id) return;
    if (event === "DEVICE_DELETED") answer.resolve(true);
    if (event === "DEVICE_UNPLUG_GUEST_ERROR") answer.resolve(false);
  });
  const deadline = setTimeout(() => answer.resolve(false), detachMs);
  const again = setInterval(() => void askToRelease(id, context).catch(answer.reject), ASK_AGAIN_MS);
  const onAbort = () => answer.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await qmp.call("device_del", { id }, { signal }).catch((error) => refuseUnlessPending(error));
    void qmp.closed.then(() => answer.reject(connectionClosed(id)));
    return await answer.promise;
  } finally {
    stop();
    clearTimeout(deadline);
    clearInterval(again);
    signal.removeEventListener("abort", onAbort);
  }
}

const askToRelease = async (id: string, { qmp, signal }: ChangeContext): Promise<void> => {
  await qmp.call("device_del", { id }, { signal }).catch(refuseUnlessPending);
};

/** QEMU refuses a second request while the guest has the first one before it, and one for a device that is gone by now. */
function refuseUnlessPending(error: unknown): void {
  const isPending =
    error instanceof OdoroboError && /in the process of unplug|not found/i.test(`${error.message} ${error.cause}`);
  if (!isPending) throw error;
}

const connectionClosed = (id: string) =>
  new OdoroboError("HYPERVISOR_UNAVAILABLE", `the connection to QEMU closed while the guest was to let go of ${id}`, {
    hint: "look whether the VM still runs: odorobo vm info",
  });

/**
 * The first port of this kind with nothing behind it. Asked of the object tree: the list of PCI devices shows what is behind
 * a port only after the guest's firmware has numbered its bus.
 */
async function freePlace(kind: PortKind, what: string, { qmp, signal }: ChangeContext) {
  const devices = new Set((await qmp.call("qom-list", { path: PERIPHERALS }, { signal })).map((device) => device.name));
  for (let index = 0; index < maxPorts(kind); index++) {
    const place = placeInPort(kind, index);
    if (!devices.has(place.bus)) break;
    const bus = await qmp.call("qom-list", { path: `${PERIPHERALS}/${place.bus}/${place.bus}` }, { signal });
    if (!bus.some(({ name }) => name.startsWith("child["))) return place;
  }
  throw new OdoroboError("UNSUPPORTED", `no free port is left in the running guest for ${what}`, {
    hint: "a reboot of the VM attaches it and makes room for more",
  });
}

/** Block nodes of ours that no device uses: left by a detach or an attach that was cut short. They would keep the file locked. */
export async function removeUnusedNodes({ qmp, signal }: Pick<ChangeContext, "qmp" | "signal">): Promise<void> {
  const nodes = await qmp.call("query-named-block-nodes", { flat: true }, { signal });
  const inUse = new Set((await qmp.call("query-block", { signal })).map((block) => block.inserted?.["node-name"]));
  for (const { "node-name": name } of nodes) {
    if (isDiskId(name) && !inUse.has(name)) await qmp.call("blockdev-del", { "node-name": name }, { signal });
  }
}

/** QEMU has no list of netdevs to look at; that there is none is what we want. */
async function removeNetdev(nic: string, { qmp, signal }: Pick<ChangeContext, "qmp" | "signal">): Promise<void> {
  await qmp.call("netdev_del", { id: nicId(nic) }, { signal }).catch((error: unknown) => {
    if (!(error instanceof OdoroboError && error.code === "HYPERVISOR_FAILED")) throw error;
  });
}
