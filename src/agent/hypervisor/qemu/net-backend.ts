/** NIC → what is behind it (`-netdev`, or `netdev_add` over QMP) and the device in front of it. Pure. */
import type { Nic } from "../../../model/vm-spec.ts";
import { tapName } from "../../launch-command.ts";
import { nicId } from "./device-ids.ts";
import type { QemuHost } from "./host.ts";
import { forwardRules } from "./host-forwards.ts";
import type { Properties } from "./option-text.ts";

export interface NetBackend {
  readonly type: "user" | "tap";
  readonly properties: Properties;
}

/** Null: the NIC has no peer. */
export function netBackend(vm: string, nic: Nic, host: Pick<QemuHost, "vhostNet">): NetBackend | null {
  const id = nicId(nic.name);
  switch (nic.attachment.kind) {
    case "user":
      return { type: "user", properties: { id, ...hostForwards(nic) } };
    case "bridge":
      // The tap is made before the guest starts, with the rights that takes; QEMU itself runs no scripts.
      return {
        type: "tap",
        properties: { id, ifname: tapName(vm, nic.name), script: "no", downscript: "no", vhost: host.vhostNet },
      };
    case "none":
      return null;
  }
}

function hostForwards({ forwards = [] }: Nic): Properties {
  const hostfwd = forwardRules(forwards);
  return hostfwd.length === 0 ? {} : { hostfwd };
}

/** Without its option ROM: 250 ms of firmware time, for booting from a network that nobody asked for. */
export const nicDevice = (nic: Nic): Properties => ({
  id: nicId(nic.name),
  ...(nic.attachment.kind === "none" ? {} : { netdev: nicId(nic.name) }),
  mac: nic.mac,
  romfile: "",
});
