/**
 * What of a domain nobody read: what makes no difference to a guest under odorobo is passed over, what does is told with what to do, and
 * all else is told as it stands. Names of elements: libvirt's formatdomain.
 */
import type { ImportNote } from "../found.ts";
import type { Leftover } from "../xml/reader.ts";

/** What libvirt adds by itself, or keeps for itself. Beginnings of paths. */
const NOTHING_LOST: readonly string[] = [
  "domain@id",
  "domain@xmlns",
  "domain/genid",
  "domain/metadata",
  "domain/resource",
  "domain/seclabel",
  "domain/on_poweroff",
  "domain/on_reboot",
  "domain/on_crash",
  "domain/pm",
  "domain/features/acpi",
  "domain/features/apic",
  "domain/features/pae",
  "domain/features/vmport",
  "domain/clock/timer",
  "domain/devices/emulator",
  "domain/devices/controller",
  "domain/devices/serial",
  "domain/devices/console",
  "domain/devices/input",
  "domain/devices/memballoon",
  "domain/devices/rng",
  "domain/devices/panic",
  "domain/devices/hub",
  "domain/devices/redirdev",
  "domain/cpu/feature",
];
/** At any depth. */
const NOTHING_LOST_ANYWHERE = /\/(alias|address|privateData)(@|$)|\/(iothreads|iothreadids)$/;

/** Beginnings of paths → what it means. The longest that fits counts. */
const SAID: Readonly<Record<string, readonly [ImportNote["kind"], string]>> = {
  "domain/devices/graphics": [
    "lost",
    "guests have a serial console, odorobo vm console; VNC can be had with qemu.args",
  ],
  "domain/devices/video": ["lost", "there is no screen; VNC and a card can be had with qemu.args"],
  "domain/devices/audio": ["lost", "there is no sound"],
  "domain/devices/sound": ["lost", "there is no sound"],
  "domain/devices/tpm": [
    "lost",
    "there is no TPM: what the guest sealed with it cannot be opened. qemu.args can add one, with swtpm run by you",
  ],
  "domain/devices/hostdev": [
    "lost",
    "a device of the host is not passed on: on Cloud Hypervisor write it below cloudHypervisor.devices",
  ],
  "domain/devices/filesystem": ["lost", "the folder of the host is not shared with the guest"],
  "domain/devices/watchdog": ["lost", "nobody watches whether the guest hangs; a ready probe tells whether it came up"],
  "domain/devices/channel": ["lost", "guest agents have no channel to the host here"],
  "domain/devices/vsock": ["lost", "there is no vsock; on Cloud Hypervisor write it below cloudHypervisor.vsock"],
  "domain/devices/smartcard": ["lost", "there is no smartcard"],
  "domain/devices/shmem": ["lost", "memory is not shared with others"],
  "domain/devices/parallel": ["lost", "there is no parallel port"],
  "domain/devices/iommu": ["lost", "the guest sees no IOMMU"],
  "domain/devices/disk/iotune": ["lost", "its I/O is not limited; weights.io shares a busy node"],
  "domain/devices/disk/serial": [
    "changed",
    "the serial number is the disk's name here: look for /dev/disk/by-id in the guest",
  ],
  "domain/devices/disk/wwn": ["lost", "it has no WWN: look for /dev/disk/by-id in the guest"],
  "domain/devices/disk/shareable": [
    "check",
    "others may write to it as well; here a disk has one writer in the whole fleet",
  ],
  "domain/devices/disk/transient": ["changed", "what the guest writes stays"],
  "domain/devices/disk/encryption": ["lost", "it cannot be opened: its key is libvirt's"],
  "domain/devices/disk/auth": ["lost", "logging in is for the node's own configuration"],
  "domain/devices/interface/bandwidth": ["lost", "its bandwidth is not limited"],
  "domain/devices/interface/mtu": ["changed", "the MTU is the bridge's"],
  "domain/devices/interface/filterref": ["lost", "no packets are filtered for it"],
  "domain/devices/interface/vlan": ["lost", "no VLAN is tagged for it: use a bridge that is on it"],
  "domain/devices/interface/virtualport": ["lost", "Open vSwitch is not told of it"],
  "domain/devices/interface/boot": ["changed", "guests do not boot from a network: firmware boots the first disk"],
  "domain/vcpu@cpuset": ["lost", "its CPUs are not pinned"],
  "domain/cputune": ["lost", "CPUs are not pinned or limited; weights.cpu shares a busy node"],
  "domain/memtune": ["lost", "the process has no limits of memory of its own"],
  "domain/blkiotune": ["lost", "its I/O is not limited; weights.io shares a busy node"],
  "domain/numatune": ["lost", "its memory may be on any node of the host"],
  "domain/memoryBacking": ["lost", "memory is ordinary memory: no huge pages, not locked"],
  "domain/os/bootmenu": ["lost", "there is no menu"],
  "domain/features/hyperv": ["lost", "Windows runs slower without them: qemu.args can set -cpu host,hv-…"],
  "domain/features/kvm": ["lost", "KVM is not hidden from the guest"],
  "domain/clock": ["changed", "the guest's clock begins at UTC: Windows may want RealTimeIsUniversal"],
  "domain/launchSecurity": ["lost", "memory is not encrypted; on Cloud Hypervisor see platform below cloudHypervisor"],
  "domain/qemu:commandline": ["lost", "write its arguments below qemu.args"],
  "domain/devices": ["lost", "it is not there any more"],
};

export function tellLeftovers(leftovers: readonly Leftover[]): ImportNote[] {
  const told = leftovers.flatMap((leftover): ImportNote[] => {
    const { path, element } = leftover;
    if (NOTHING_LOST.some((each) => isBelow(path, each)) || NOTHING_LOST_ANYWHERE.test(path)) return [];
    if (path === "domain/clock@offset" && element.attributes.offset === "utc") return [];
    const { line, column } = element;
    const [kind, says] = saidOf(path) ?? ["lost", "odorobo has no word for it, and leaves it out"];
    return [{ kind, line, column, what: nameOf(leftover), says }];
  });
  // Four channels are told once, where the first is.
  return [...Map.groupBy(told, ({ what, says }) => `${what}\n${says}`).values()].map((same) => {
    const first = same[0] as ImportNote;
    return same.length === 1 ? first : { ...first, what: `${same.length} × ${first.what}` };
  });
}

const isBelow = (path: string, top: string): boolean =>
  path === top || path.startsWith(`${top}/`) || path.startsWith(`${top}@`);

function saidOf(path: string): readonly [ImportNote["kind"], string] | undefined {
  const fitting = Object.keys(SAID).filter((each) => isBelow(path, each));
  const longest = fitting.toSorted((a, b) => b.length - a.length)[0];
  return longest === undefined ? undefined : SAID[longest];
}

/** `devices/graphics type='vnc'`, `vcpu cpuset='0-3'`. Never its text: a password may be in it. */
function nameOf({ path, element, attribute }: Leftover): string {
  const plain = path.replace(/^domain\/(devices\/)?/, "").replace(/@.*$/, "");
  const shown = attribute ?? (["type", "model"].find((name) => element.attributes[name] !== undefined) || null);
  if (shown === null || SECRET.test(shown)) return plain;
  return `${plain} ${shown}='${(element.attributes[shown] ?? "").slice(0, 60)}'`;
}

const SECRET = /passw|secret|key|auth/i;
