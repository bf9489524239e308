/** The files of one guest beside its disks, and what its VmConfig calls by other names. Pure. */
import { join } from "node:path";
import { type PciSlot, TERMINALS, type VmConfigPlaces } from "../../../model/cloud-hypervisor/places.ts";
import { OdoroboError } from "../../../model/errors.ts";
import { BUILTIN_TINY_GUEST } from "../../../model/vm-spec.ts";
import { ownDiskFile, seedImageFile, tapName, type VmPaths } from "../../launch-command.ts";
import type { LaunchInput } from "../hypervisor.ts";
import { type CloudHypervisorHost, FIRMWARE_NAMES, type FirmwareName } from "./host.ts";

export const apiSocket = (paths: VmPaths): string => join(paths.runFolder, "ch.sock");
export const eventsFile = (paths: VmPaths): string => join(paths.runFolder, "events.json");
/** How far the events were read; see `event-tail.ts`. */
export const eventsSeenFile = (paths: VmPaths): string => join(paths.runFolder, "events.seen.json");
/** What was attached since the boot; see `attached.ts`. */
export const attachedFile = (paths: VmPaths): string => join(paths.runFolder, "attached.json");
export const outputFile = (paths: VmPaths): string => join(paths.logFolder, "cloud-hypervisor.log");

/** As its API wants paths of snapshots and dumps: what follows is taken as it stands, so nothing is escaped. */
export const fileUrl = (path: string): string => `file://${path}`;

export function placesOf(
  { name, paths, uuid, images = {} }: Pick<LaunchInput, "name" | "paths" | "uuid" | "images">,
  host: CloudHypervisorHost,
  slots?: ReadonlyMap<string, PciSlot>,
): VmConfigPlaces {
  return {
    kernel: (path) => (path === BUILTIN_TINY_GUEST ? host.tinyGuest : path),
    firmware: (firmware) => findFirmware(firmware, host),
    ownDisk: (disk) => ownDiskFile(paths, disk) ?? "",
    seedImage: seedImageFile(paths),
    tap: (nic) => tapName(name, nic),
    landlock: host.landlock
      ? [
          // Sockets of devices are made there; disks may be attached later.
          { path: paths.runFolder, access: "rw" },
          { path: paths.diskFolder, access: "rw" },
          // The serial line's terminal is made anew at each reboot of the guest.
          { path: TERMINALS, access: "rw" },
        ]
      : null,
    imageFiles: ({ name: disk, origin }) => images[disk] ?? (origin.kind === "image" ? [origin.path] : []),
    ...(slots === undefined ? {} : { slots }),
    ...(uuid === undefined ? {} : { uuid }),
  };
}

/** `default`: the first that is there. */
function findFirmware(firmware: string, { firmware: images }: CloudHypervisorHost): string {
  if (firmware.startsWith("/")) return firmware;
  const names: readonly FirmwareName[] =
    firmware === "default" ? FIRMWARE_NAMES : isFirmwareName(firmware) ? [firmware] : [];
  for (const name of names) {
    const image = images.get(name);
    if (image !== undefined) return image;
  }
  if (names.length === 0)
    throw new OdoroboError("UNSUPPORTED", `Cloud Hypervisor has no firmware called ${firmware}`, {
      hint: "use uefi, hypervisor-fw, or the path of an image on the node",
    });
  throw new OdoroboError("UNSUPPORTED", `this node has no firmware for Cloud Hypervisor called ${names.join(" or ")}`, {
    hint: "put CLOUDHV.fd or hypervisor-fw into /usr/share/cloud-hypervisor, or give a path in boot.firmware",
  });
}

const isFirmwareName = (text: string): text is FirmwareName => FIRMWARE_NAMES.some((name) => name === text);
