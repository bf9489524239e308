/**
 * Where devices sit on q35's root bus. Fixed places, so that adding one never moves another (guests name interfaces by place):
 *
 *   0x01        rng
 *   0x04..0x07  ports of NICs, eight to a slot: first, so that their bus numbers do not depend on the disks
 *   0x08..0x1b  ports of disks
 *   0x1c        port of the cloud-init seed: behind a port and last, so that guests number it after the disks
 *   0x1f        q35's own
 *
 * Each disk and NIC has a PCI Express port of its own, because only ports can be plugged while the guest runs.
 */
import { OdoroboError } from "../../../model/errors.ts";
import { diskPortId, nicPortId } from "./device-ids.ts";
import type { Properties } from "./option-text.ts";

export const RNG_PLACE = { bus: "pcie.0", addr: "0x1" } as const;

const SEED_PORT = { id: "port.seed", chassis: 250, slot: 0x1c } as const;
export const SEED_PLACE = { bus: SEED_PORT.id, addr: "0x0" } as const;

/**
 * Ports a guest gets beyond what it starts with: each costs its firmware a millisecond or two under TCG, so a few, not many.
 * A guest that used them up gets new ones at its next boot.
 */
const SPARE = { disk: 4, nic: 2 } as const;

const PORTS_PER_SLOT = 8;

interface PortGroup {
  readonly portId: (index: number) => string;
  readonly firstSlot: number;
  readonly slots: number;
  /** Chassis numbers name a port for the guest: unique over both groups, 1 to 255. */
  readonly firstChassis: number;
}

const GROUPS = {
  nic: { portId: nicPortId, firstSlot: 0x04, slots: 4, firstChassis: 1 },
  disk: { portId: diskPortId, firstSlot: 0x08, slots: 20, firstChassis: 33 },
} as const satisfies Record<string, PortGroup>;

export type PortKind = keyof typeof GROUPS;

export const maxPorts = (kind: PortKind): number => GROUPS[kind].slots * PORTS_PER_SLOT;

/** How many ports a guest has that starts with `used` devices of this kind. Throws UNSUPPORTED. */
export function portCount(kind: PortKind, used: number): number {
  if (used > maxPorts(kind)) {
    throw new OdoroboError("UNSUPPORTED", `QEMU guests take at most ${maxPorts(kind)} ${kind}s, not ${used}`);
  }
  return Math.min(used + SPARE[kind], maxPorts(kind));
}

/** So many ports, as `-device` properties without the driver. */
export function ports(kind: PortKind, count: number): Properties[] {
  const { portId, firstSlot, firstChassis } = GROUPS[kind];
  return Array.from({ length: count }, (_, index) =>
    port(
      portId(index),
      pciAddress(firstSlot + Math.floor(index / PORTS_PER_SLOT), index % PORTS_PER_SLOT),
      firstChassis + index,
    ),
  );
}

export const seedPort = (): Properties => port(SEED_PORT.id, pciAddress(SEED_PORT.slot, 0), SEED_PORT.chassis);

const port = (id: string, addr: string, chassis: number): Properties => ({
  id,
  bus: "pcie.0",
  addr,
  multifunction: true,
  chassis,
  slot: chassis,
  // Firmware would set 4 KiB of the 64 KiB of I/O space aside for each port and run out after a dozen; virtio needs none.
  "io-reserve": 0,
});

/** Of a bus as QEMU names it: `/machine/peripheral/port.disk.3/port.disk.3`. Null: it is none of these ports. */
export function portIndexOf(kind: PortKind, bus: string): number | null {
  const port = bus.slice(bus.lastIndexOf("/") + 1);
  for (let index = 0; index < maxPorts(kind); index++) if (GROUPS[kind].portId(index) === port) return index;
  return null;
}

/** The place of the n-th disk or NIC: alone behind its port. */
export const placeInPort = (kind: PortKind, index: number): { readonly bus: string; readonly addr: string } => ({
  bus: GROUPS[kind].portId(index),
  addr: "0x0",
});

const pciAddress = (slot: number, fn: number): string => `0x${slot.toString(16)}.0x${fn.toString(16)}`;
