/** What keeps a QEMU guest from being moved while it runs. Pure. */
import type { Movable } from "../../../../model/observed-state.ts";
import type { LaunchInput } from "../../hypervisor.ts";
import { knownMachine } from "../machine.ts";
import { NOT_NOTED } from "./describe-machine.ts";

/** Of what a passthrough may add: devices of this very host, and what another process of it has. */
const BOUND: readonly (readonly [word: RegExp, why: string])[] = [
  [/\bvfio\b|vfio-pci/, "it has a device of this host (VFIO)"],
  [/vhost-user|vhostfd|\bfds?=/, "it has a device that another process of this host serves"],
  [/usb-host|scsi-generic/, "it has a device of this host"],
];

export function movable(vm: Pick<LaunchInput, "machine" | "spec">): Movable {
  if (knownMachine(vm) === null) return { live: false, why: NOT_NOTED };
  const words = JSON.stringify(vm.spec.passthrough);
  const bound = BOUND.find(([word]) => word.test(words));
  return bound === undefined ? { live: true } : { live: false, why: bound[1] };
}
