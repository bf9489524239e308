/**
 * Looks at a server from top to bottom, and says what is so and what to do about it. Changes nothing.
 *
 *   host.ts → checks/ → [examine.ts] → agent/http, commands/doctor.ts
 *
 * Never `ok` for what it did not see; a check that fails is a finding that says so.
 */
import type { Finding } from "../model/doctor-report.ts";
import { checkCgroups } from "./checks/cgroups.ts";
import { checkClock } from "./checks/clock.ts";
import { checkHypervisors } from "./checks/hypervisors.ts";
import { checkImages } from "./checks/images.ts";
import { checkKernelSettings } from "./checks/kernel-settings.ts";
import { checkKvm } from "./checks/kvm.ts";
import { checkLandlock } from "./checks/landlock.ts";
import { checkLeftovers } from "./checks/leftovers.ts";
import { checkPermissions } from "./checks/permissions.ts";
import { checkPorts } from "./checks/ports.ts";
import { checkServiceManager } from "./checks/service-manager.ts";
import { checkSocketPaths } from "./checks/socket-paths.ts";
import { checkStorage } from "./checks/storage.ts";
import { type Check, type Examination, unknown } from "./examination.ts";

/** In the order in which one would look. */
const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ["kvm", checkKvm],
  ["hypervisors", checkHypervisors],
  ["landlock", checkLandlock],
  ["systemd", checkServiceManager],
  ["cgroups", checkCgroups],
  ["sysctl", checkKernelSettings],
  ["disk", checkStorage],
  ["images", checkImages],
  ["ports", checkPorts],
  ["clock", checkClock],
  ["permissions", checkPermissions],
  ["sockets", checkSocketPaths],
  ["leftovers", checkLeftovers],
];

export async function examine(examination: Examination): Promise<readonly Finding[]> {
  const found = await Promise.all(
    CHECKS.map(async ([name, check]): Promise<readonly Finding[]> => {
      try {
        return await check(examination);
      } catch (error) {
        return [unknown(name, `could not be looked at: ${error instanceof Error ? error.message : String(error)}`)];
      }
    }),
  );
  examination.signal.throwIfAborted();
  return found.flat();
}
