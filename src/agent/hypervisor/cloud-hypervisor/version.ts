/** Versions of Cloud Hypervisor, and what they differ in as far as the driver has to know. Pure. */
import { NEWEST_TRIED_MAJOR, OLDEST_MAJOR, standingOf } from "../../../model/cloud-hypervisor/version.ts";
import { OdoroboError } from "../../../model/errors.ts";

/** `v53.0.0`, `53.0.0`, `54.0.0-dirty` → the major version, or null. */
export function majorOf(version: string): number | null {
  const major = /^v?(\d+)\.\d+/.exec(version)?.[1];
  return major === undefined ? null : Number(major);
}

/** Of the program on the disk, or of a process that runs: each says its own. Throws HYPERVISOR_UNAVAILABLE. */
export function requireSupported(version: string): void {
  if (standingOf(version) !== "refused") return;
  throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `Cloud Hypervisor ${version} is none that odorobo can work with`, {
    hint: `install ${OLDEST_MAJOR} or later; odorobo was tried with versions up to ${NEWEST_TRIED_MAJOR}`,
  });
}

const isAtLeast = (version: string, major: number): boolean => (majorOf(version) ?? 0) >= major;

/** `--no-shutdown`: the process outlives a guest that powers off. Before, it ends with status 0, as it does for SIGTERM. */
export const staysAfterPowerOff = (version: string): boolean => isAtLeast(version, 52);
/** `resume` in vm.restore. */
export const resumesOnRestore = (version: string): boolean => isAtLeast(version, 52);
/** `downtime_ms` and `timeout_s` in vm.send-migration. */
export const limitsMigrations = (version: string): boolean => isAtLeast(version, 52);
/** vm.send-migration answers before anything was sent. */
export const sendsInBackground = (version: string): boolean => isAtLeast(version, 53);
/** `--seccomp errno`. */
export const knowsSeccompErrno = (version: string): boolean => isAtLeast(version, 53);
/** A 404 of remove-device or resize-disk names an id that is not there; 409 one that is taken. Before, both are 500. */
export const statusesAreExact = (version: string): boolean => isAtLeast(version, 54);

/** A second vm.remove-device asks the guest again. Before, it is an error. */
export const asksAgain = (version: string): boolean => isAtLeast(version, 54);

/** What its HTTP server takes: micro_http's default until v53. */
export const maxBodyBytes = (version: string): number => (isAtLeast(version, 54) ? 4 * 1024 * 1024 : 51_200);

/** vm.send-migration of a guest that is paused. */
export const sendsPaused = (version: string): boolean => isAtLeast(version, 52);
/** An incoming migration that was refused is an error of vm.receive-migration. Before, it answers as if the guest had come. */
export const tellsRefusedArrivals = (version: string): boolean => isAtLeast(version, 53);
