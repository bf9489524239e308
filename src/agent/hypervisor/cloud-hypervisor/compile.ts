/**
 * Spec → the command line of an empty Cloud Hypervisor process, and the VmConfig that it is given over its API then.
 *
 *   lifecycle → [compile.ts] → LaunchCommand → supervisor; later driver.ts → vm.create
 *
 * Pure: the same VM on the same host gives the same command. Nothing of the VM stands in the command line: what the process
 * may open is known before it starts, all the same, and mistakes that would kill it are found here.
 */
import { type ConfigProblem, checkVmConfig } from "../../../model/cloud-hypervisor/check-vm-config.ts";
import { toVmConfig } from "../../../model/cloud-hypervisor/to-vm-config.ts";
import type { VmConfig } from "../../../model/cloud-hypervisor/vm-config.ts";
import { OdoroboError } from "../../../model/errors.ts";
import { consoleSocket, type LaunchCommand, type VmPaths } from "../../launch-command.ts";
import type { LaunchInput } from "../hypervisor.ts";
import { apiSocket, attachedFile, eventsFile, eventsSeenFile, outputFile, placesOf } from "./files.ts";
import type { CloudHypervisorHost } from "./host.ts";
import { processNeeds } from "./process-needs.ts";
import { knowsSeccompErrno, staysAfterPowerOff } from "./version.ts";

/** sun_path has 108 bytes, the last one a NUL. */
const SOCKET_PATH_BYTES = 107;

/**
 * Built with glibc, the thread of its API server may wait for ever for memory to be given back, which its seccomp rules forbid:
 * then the process answers nobody and heeds no SIGTERM. One arena and no trimming keep it from that; musl takes no notice.
 */
const ENVIRONMENT = { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: `${1024 ** 3}` } as const;

/** Throws UNSUPPORTED with everything that this Cloud Hypervisor cannot do, AGENT_CONFIG for a run folder with too long a name. */
export function toLaunchCommand(vm: LaunchInput, host: CloudHypervisorHost): LaunchCommand {
  const { name, paths } = vm;
  for (const socket of [apiSocket(paths), consoleSocket(paths)]) checkSocketPath(socket);
  const config = toCheckedConfig(vm, host, host.version);
  return {
    kind: "ch",
    executable: host.executable,
    args: [
      ...["--api-socket", `path=${apiSocket(paths)}`],
      ...["--event-monitor", `path=${eventsFile(paths)}`],
      ...["--seccomp", seccompMode(host)],
      // A guest that powered itself off leaves a process that can be asked why it ended.
      ...(staysAfterPowerOff(host.version) ? ["--no-shutdown"] : []),
    ],
    env: ENVIRONMENT,
    workingFolder: paths.runFolder,
    outputFile: outputFile(paths),
    staleFiles: [
      apiSocket(paths),
      consoleSocket(paths),
      eventsFile(paths),
      eventsSeenFile(paths),
      attachedFile(paths),
      ...socketsInRunFolder(config, paths),
    ],
    needs: processNeeds(config, vm),
  };

  function seccompMode({ seccomp, version }: CloudHypervisorHost): string {
    if (seccomp !== "errno" || knowsSeccompErrno(version)) return seccomp;
    throw new OdoroboError(
      "UNSUPPORTED",
      `${name} cannot be started: Cloud Hypervisor ${version} has no --seccomp errno`,
      {
        hint: "install v53 or later, or start the agent with --seccomp log",
      },
    );
  }
}

/** The VmConfig for `version`: that of the binary on the disk, or of a process that runs already. */
export function toCheckedConfig(vm: LaunchInput, host: CloudHypervisorHost, version: string): VmConfig {
  const { name, spec } = vm;
  const config = toVmConfig({ name, spec, places: placesOf(vm, host), version });
  const problems = checkVmConfig(config, { version });
  if (problems.length === 0) return config;
  throw new OdoroboError(
    "UNSUPPORTED",
    `Cloud Hypervisor ${version} cannot run ${name}: ${problems.map(describeProblem).join("; ")}`,
    { hint: problems[0]?.hint },
  );
}

const describeProblem = ({ path, message }: ConfigProblem): string =>
  path.length === 0 ? message : `${path.join(".")}: ${message}`;

/** Left by a process that was killed, they would keep the next one from starting. Elsewhere they may be somebody else's. */
function socketsInRunFolder({ vsock }: VmConfig, { runFolder }: VmPaths): readonly string[] {
  return vsock?.socket.startsWith(`${runFolder}/`) === true ? [vsock.socket] : [];
}

function checkSocketPath(path: string): void {
  const bytes = new TextEncoder().encode(path).length;
  if (bytes <= SOCKET_PATH_BYTES) return;
  throw new OdoroboError(
    "AGENT_CONFIG",
    `the socket path ${path} has ${bytes} bytes, ${SOCKET_PATH_BYTES} is the most`,
    { hint: "give the agent a shorter run folder" },
  );
}
