/**
 * A LaunchCommand → the properties of its transient unit.
 *
 *   LaunchCommand → [unit-properties.ts] → manager.ts → systemd
 *
 * Pure.
 */
import type { LaunchCommand, ProcessNeeds } from "../../launch-command.ts";
import type { Property } from "./manager.ts";
import { type Confinement, sandboxProperties } from "./sandbox.ts";

/**
 * Names the unit's owner by the one path that no other VM of no other agent has: two agents of one host may each have a
 * VM of the same name, and only one of them can have the unit.
 */
export const markOf = (command: Pick<LaunchCommand, "outputFile">): string =>
  `ODOROBO_OUTPUT_FILE=${command.outputFile}`;

export interface UnitInput {
  /** As the unit's name has it: escaped. */
  readonly instance: string;
  /** Its executable is absolute. */
  readonly command: LaunchCommand;
  readonly slice: string;
  /** null: not confined. */
  readonly confinement: Confinement | null;
  /** Where the process looks for helpers. */
  readonly searchPath: string;
}

export function unitProperties({ instance, command, slice, confinement, searchPath }: UnitInput): readonly Property[] {
  const environment = { PATH: searchPath, ...command.env };
  const properties: readonly Property[] = [
    ["Description", "s", `odorobo VM ${instance}`],
    ["Slice", "s", slice],
    // Guests are stopped before what they may use at the end of the host.
    ["After", "as", ["network.target", "remote-fs.target"]],
    // The job is done when the program is executed: what cannot be executed fails the job.
    ["Type", "s", "exec"],
    [
      "ExecStart",
      "a(sasb)",
      [[command.executable, [command.executable, ...command.args].map(withoutVariables), false]],
    ],
    ["Environment", "as", [...Object.entries(environment).map(([key, value]) => `${key}=${value}`), markOf(command)]],
    ["WorkingDirectory", "s", command.workingFolder],
    ["StandardInput", "s", "null"],
    ["StandardOutputFileToAppend", "s", command.outputFile],
    ["StandardErrorFileToAppend", "s", command.outputFile],
    // The agent restarts guests, not systemd: an empty hypervisor is no guest.
    ["Restart", "s", "no"],
    // How it ended is kept until the agent has read it, whether it failed or not.
    ["RemainAfterExit", "b", true],
    ["TimeoutStopUSec", "t", 90_000_000n],
    // The guest's memory would be in it.
    ["LimitCORE", "t", 0n],
    // Queues, disks and vhost want descriptors; shared and locked memory is counted by the control group.
    ["LimitNOFILE", "t", 65_536n],
    ["LimitMEMLOCK", "t", UNLIMITED],
    ["TasksMax", "t", 8_192n],
    ["OOMPolicy", "s", "kill"],
    ["CPUAccounting", "b", true],
    ["MemoryAccounting", "b", true],
    ["IOAccounting", "b", true],
    ...shareProperties(command.needs),
    ...(confinement === null ? [] : sandboxProperties(command, confinement)),
  ];
  // An empty list is an order to forget what was said before, of both lists of bound paths, for example.
  return properties.filter(([, , value]) => !Array.isArray(value) || value.length > 0);
}

/** systemd puts its variables in for `$NAME`, which a kernel's command line may well have; a doubled dollar is a dollar. */
const withoutVariables = (argument: string): string => argument.replaceAll("$", "$$$$");

/** Apart, because they can change while the process runs. */
export const shareProperties = (needs: ProcessNeeds): readonly Property[] => [
  ["CPUWeight", "t", needs.cpuWeight === null ? NOT_SET : BigInt(needs.cpuWeight)],
  ["IOWeight", "t", needs.ioWeight === null ? NOT_SET : BigInt(needs.ioWeight)],
  ["MemoryMax", "t", needs.memoryMaxMiB === null ? UNLIMITED : BigInt(needs.memoryMaxMiB) * MIB],
];

const MIB = 1024n * 1024n;
/** UINT64_MAX: as systemd writes `infinity`, and weights that nobody set. */
const UNLIMITED = 0xffff_ffff_ffff_ffffn;
const NOT_SET = UNLIMITED;
