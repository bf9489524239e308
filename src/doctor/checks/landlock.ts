/** Whether Cloud Hypervisor can confine itself, where the agent is to have it do so. */
import { type Check, fail, ok, unknown } from "../examination.ts";

const MODULES = "/sys/kernel/security/lsm";

export const checkLandlock: Check = async ({ host, settings }) => {
  if (settings.landlock !== true) return [];
  const modules = await host.read(MODULES);
  if (modules.kind !== "seen")
    return [
      unknown("landlock", `${MODULES} cannot be read, so nobody knows whether --landlock works`, "mount securityfs"),
    ];
  const names = modules.value.trim();
  if (names.split(",").includes("landlock")) return [ok("landlock", "the kernel has Landlock, as --landlock needs it")];
  return [
    fail(
      "landlock",
      "the agent is started with --landlock, and this kernel has none: no guest of Cloud Hypervisor starts",
      `start the kernel with lsm=landlock,${names}, or the agent without --landlock`,
    ),
  ];
};
