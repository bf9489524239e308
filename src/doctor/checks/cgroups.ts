/** Whether guests can be weighed and bounded: cgroup v2 with the controllers that this takes. */
import { type Check, ok, unknown, warn } from "../examination.ts";

const CONTROLLERS = "/sys/fs/cgroup/cgroup.controllers";
const NEEDED = ["cpu", "io", "memory", "pids"];

export const checkCgroups: Check = async ({ host }) => {
  const seen = await host.read(CONTROLLERS);
  if (seen.kind === "unseen") return [unknown("cgroups", `${CONTROLLERS} could not be read: ${seen.why}`)];
  if (seen.kind === "absent")
    return [
      warn(
        "cgroups",
        "cgroup v2 is not mounted at /sys/fs/cgroup: weights of VMs have no effect",
        "boot with systemd.unified_cgroup_hierarchy=1",
      ),
    ];
  const present = new Set(seen.value.trim().split(/\s+/));
  const missing = NEEDED.filter((each) => !present.has(each));
  if (missing.length === 0) return [ok("cgroups", `cgroup v2 with ${NEEDED.join(", ")}`)];
  return [
    warn(
      "cgroups",
      `cgroup v2 without ${missing.join(", ")}: weights and bounds of these have no effect`,
      "is it switched off on the kernel's command line (cgroup_disable=), or not delegated to this container?",
    ),
  ];
};
