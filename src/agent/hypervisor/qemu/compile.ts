/**
 * Spec → the QEMU command line.
 *
 *   lifecycle → [compile.ts] → LaunchCommand → supervisor
 *
 * Pure: the same VM on the same host gives the same command. Secrets never stand in it: cloud-init's texts are in the seed image.
 */
import { join } from "node:path";
import { OdoroboError } from "../../../model/errors.ts";
import { BUILTIN_TINY_GUEST, type VmSpec } from "../../../model/vm-spec.ts";
import { consoleLog, consoleSocket, type LaunchCommand, seedImageFile, type VmPaths } from "../../launch-command.ts";
import type { LaunchInput } from "../hypervisor.ts";
import { type BlockNode, blockNode, diskDevice, readOnlyFileNode } from "./block-node.ts";
import { FIRMWARE_ID, QMP_ID, RNG_ID, SEED_ID, SERIAL_ID } from "./device-ids.ts";
import type { QemuHost } from "./host.ts";
import { checkMachine, knownMachine, machineOf, type QemuMachine } from "./machine.ts";
import { netBackend, nicDevice } from "./net-backend.ts";
import { optionText, type Properties } from "./option-text.ts";
import { passthroughArgs } from "./passthrough.ts";
import { processNeeds } from "./process-needs.ts";
import { SANDBOX_ARGS } from "./sandbox.ts";
import { placeInPort, ports, RNG_PLACE, SEED_PLACE, seedPort } from "./topology.ts";

/** Files of one guest beside its disks. */
export const qmpSocket = (paths: VmPaths): string => join(paths.runFolder, "qmp.sock");
/** A named pipe: what is typed. See `serial-line.ts`. */
export const consoleInput = (paths: VmPaths): string => join(paths.runFolder, "console.in");
/** What was attached since the boot; see `attached.ts`. */
export const attachedFile = (paths: VmPaths): string => join(paths.runFolder, "attached.json");

/** Of a process that takes a guest in: where memory and disks come. */
export const incomingSocket = (paths: VmPaths): string => join(paths.runFolder, "in.sock");
export const nbdSocket = (paths: VmPaths): string => join(paths.runFolder, "nbd.sock");

/** sun_path has 108 bytes, the last one a NUL. */
const SOCKET_PATH_BYTES = 107;

/** Memory slots offered to a guest with room to grow. 32 is what libvirt users give; slots cost nothing until used. */
const MEMORY_SLOTS = 32;

export function toLaunchCommand(vm: LaunchInput, host: QemuHost): LaunchCommand {
  const { name, spec, paths } = vm;
  const known = knownMachine(vm);
  if (known !== null && vm.incoming) checkMachine(name, known, host);
  const machine = known ?? machineOf(vm, host);
  for (const socket of [qmpSocket(paths), consoleSocket(paths)]) checkSocketPath(socket);
  return {
    kind: "qemu",
    executable: host.executable,
    args: [
      ...machineArgs(vm, machine, host),
      ...bootArgs(spec, host),
      ...consoleArgs(paths),
      ...portArgs(machine),
      ...nicArgs(name, spec, machine, host),
      ...diskArgs(spec, machine, paths),
      ...machine.addedCpus.flatMap(({ driver, ...rest }) => device(driver, rest)),
      ...passthroughArgs(spec.passthrough),
      // Never runs by itself, whatever has come: its agent says when.
      ...(vm.incoming ? ["-S", "-incoming", "defer"] : []),
    ],
    env: { LC_ALL: "C" },
    workingFolder: paths.runFolder,
    outputFile: join(paths.logFolder, "qemu.log"),
    staleFiles: [
      ...[qmpSocket(paths), consoleSocket(paths), consoleInput(paths), attachedFile(paths)],
      ...[incomingSocket(paths), nbdSocket(paths)],
    ],
    needs: processNeeds(vm, host),
  };
}

function machineArgs({ name, spec, uuid }: LaunchInput, known: QemuMachine, host: QemuHost): string[] {
  const { cpus: count, maxCpus: max, memoryMiB: sizeMiB, maxMemoryMiB: maxMiB } = known;
  // What q35 brings and a server does not need costs firmware time at each boot.
  const machine: Properties = { sata: false, smbus: false, usb: false, vmport: false };
  const firmware: Properties = flashImage(spec, host) === null ? {} : { pflash0: FIRMWARE_ID };
  return [
    ...["-name", optionText(`guest=${name}`, { "debug-threads": true })],
    // One of the user's own comes later, and the last one counts.
    ...(uuid === undefined ? [] : ["-uuid", uuid]),
    ...["-nodefaults", "-no-user-config", "-display", "none", "-msg", "timestamp=on"],
    ...(host.sandbox ? SANDBOX_ARGS : []),
    ...["-machine", optionText(known.version, { ...machine, ...firmware })],
    ...["-accel", host.accelerator],
    // Both give the guest all that the accelerator has.
    ...["-cpu", host.accelerator === "kvm" ? "host" : "max"],
    ...["-smp", optionText(`cpus=${count}`, { maxcpus: max, sockets: 1, cores: max, threads: 1 })],
    ...[
      "-m",
      maxMiB > sizeMiB
        ? optionText(`size=${sizeMiB}M`, { slots: MEMORY_SLOTS, maxmem: `${maxMiB}M` })
        : `size=${sizeMiB}M`,
    ],
    // A guest that powered itself off leaves a process that can be asked why it ended.
    "-no-shutdown",
    ...["-object", `rng-builtin,id=${RNG_ID}`],
    ...device("virtio-rng-pci", { id: "rng.device", rng: RNG_ID, ...RNG_PLACE }),
    // Lets a guest whose kernel panics say so.
    ...["-device", "pvpanic"],
  ];
}

function bootArgs(spec: VmSpec, host: QemuHost): string[] {
  if (spec.boot.kind === "kernel") {
    const { kernel, initramfs, cmdline } = spec.boot;
    return [
      ...["-kernel", kernel === BUILTIN_TINY_GUEST ? host.tinyGuest : kernel],
      ...(initramfs === null ? [] : ["-initrd", initramfs]),
      ...(cmdline === "" ? [] : ["-append", cmdline]),
    ];
  }
  const flash = flashImage(spec, host);
  if (flash !== null) return blockdev(readOnlyFileNode(FIRMWARE_ID, flash));
  return spec.boot.firmware.startsWith("/") ? ["-bios", spec.boot.firmware] : [];
}

/** SeaBIOS is QEMU's own. UEFI images are flash: their variables live in memory and every boot starts from the default boot path. */
function flashImage({ boot }: VmSpec, host: QemuHost): string | null {
  if (boot.kind === "kernel") return null;
  switch (boot.firmware) {
    case "default":
    case "bios":
    case "seabios":
      return null;
    case "uefi":
      if (host.uefiFirmware !== null) return host.uefiFirmware;
      throw new OdoroboError("UNSUPPORTED", "this node has no UEFI firmware for QEMU", {
        hint: "install it (Debian: apt-get install ovmf), or use firmware: bios",
      });
    default:
      if (boot.firmware.startsWith("/")) return boot.firmware.endsWith(".fd") ? boot.firmware : null;
      throw new OdoroboError("UNSUPPORTED", `QEMU has no firmware called ${boot.firmware}`, {
        hint: "use bios, uefi, or the path of an image on the node",
      });
  }
}

/**
 * What the guest says QEMU writes to a file by itself, so that it waits for nobody and all of it is there, whoever reads it; what
 * is typed comes later (`serial-line.ts`). A socket would make the guest wait for whoever is connected and does not read, and
 * QEMU 7.2 logs each byte that had to wait twice.
 */
function consoleArgs(paths: VmPaths): string[] {
  const socket = { server: true, wait: false };
  return [
    ...["-chardev", optionText("file", { id: SERIAL_ID, path: consoleLog(paths), append: true })],
    ...["-serial", `chardev:${SERIAL_ID}`],
    ...["-chardev", optionText("socket", { id: QMP_ID, path: qmpSocket(paths), ...socket })],
    ...["-mon", `chardev=${QMP_ID},mode=control`],
  ];
}

function portArgs({ ports: { nic, disk } }: QemuMachine): string[] {
  return [...ports("nic", nic), ...ports("disk", disk)].flatMap((port) => device("pcie-root-port", port));
}

function nicArgs(vm: string, spec: VmSpec, { places }: QemuMachine, host: QemuHost): string[] {
  return spec.nics.flatMap((nic, index) => {
    const backend = netBackend(vm, nic, host);
    return [
      ...(backend === null ? [] : ["-netdev", optionText(backend.type, backend.properties)]),
      ...device("virtio-net-pci", { ...nicDevice(nic), ...placeInPort("nic", places.nic[nic.name] ?? index) }),
    ];
  });
}

/** Firmware tries the disks in the order of the manifest. */
function diskArgs(spec: VmSpec, { places }: QemuMachine, paths: VmPaths): string[] {
  const disks = spec.disks.flatMap((disk, index) => [
    ...blockdev(blockNode(disk, paths)),
    ...device("virtio-blk-pci", {
      ...diskDevice(disk),
      ...placeInPort("disk", places.disk[disk.name] ?? index),
      bootindex: index + 1,
    }),
  ]);
  if (spec.cloudInit === null) return disks;
  return [
    ...disks,
    ...device("pcie-root-port", seedPort()),
    ...blockdev(readOnlyFileNode(SEED_ID, seedImageFile(paths))),
    ...device("virtio-blk-pci", { id: "seed.device", drive: SEED_ID, ...SEED_PLACE }),
  ];
}

const device = (driver: string, properties: Properties): string[] => ["-device", optionText(driver, properties)];

/** As JSON, which needs no escaping. */
const blockdev = (node: BlockNode): string[] => ["-blockdev", JSON.stringify(node)];

function checkSocketPath(path: string): void {
  const bytes = new TextEncoder().encode(path).length;
  if (bytes <= SOCKET_PATH_BYTES) return;
  throw new OdoroboError(
    "AGENT_CONFIG",
    `the socket path ${path} has ${bytes} bytes, ${SOCKET_PATH_BYTES} is the most`,
    {
      hint: "give the agent a shorter run folder",
    },
  );
}
