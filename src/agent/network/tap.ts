/**
 * Taps: what connects a guest's NIC to a bridge of the node. Made before a guest starts (or a NIC is attached), removed
 * when it is gone. `ip` appears in no other file; it is run without a shell.
 */
import { execFile } from "node:child_process";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import type { Nic } from "../../model/vm-spec.ts";
import { tapName } from "../launch-command.ts";

export interface HostNetwork {
  /** Makes the taps of these NICs and puts them on their bridges. Doing it again is harmless. Other NICs need nothing. */
  prepareTaps(vm: string, nics: readonly Nic[], signal: AbortSignal): Promise<void>;
  /** Removes the taps of these NICs; those that are not there are no failure. */
  removeTaps(vm: string, nics: readonly Nic[], signal: AbortSignal): Promise<void>;
}

/** `owner`: the user that may open the taps, so that no hypervisor needs to be privileged; null: root alone. */
export const hostNetwork = ({ owner }: { readonly owner: string | null }): HostNetwork => ({
  async prepareTaps(vm, nics, signal) {
    for (const { name, attachment } of nics)
      if (attachment.kind === "bridge") await prepareTap(tapName(vm, name), attachment.bridge, owner, signal);
  },
  async removeTaps(vm, nics, signal) {
    for (const { name, attachment } of nics)
      if (attachment.kind === "bridge") await removeTap(tapName(vm, name), signal);
  },
});

async function prepareTap(tap: string, bridge: string, owner: string | null, signal: AbortSignal): Promise<void> {
  if ((await ip(["link", "show", "dev", bridge], signal)) !== null) {
    throw new OdoroboError("UNSUPPORTED", `this node has no bridge ${bridge}`, {
      hint: `make it on the node (ip link add ${bridge} type bridge), or correct the manifest of the Network`,
    });
  }
  // One that is left may be another user's. The kernel lets go of none that a process has open.
  if (owner !== null) await removeTap(tap, signal).catch(() => signal.throwIfAborted());
  if ((await ip(["link", "show", "dev", tap], signal)) !== null) {
    const user = owner === null ? [] : ["user", owner];
    await must(["tuntap", "add", "dev", tap, "mode", "tap", ...user], `could not make the tap ${tap}`, signal);
  }
  await must(["link", "set", "dev", tap, "master", bridge, "up"], `could not put ${tap} on ${bridge}`, signal);
}

async function removeTap(tap: string, signal: AbortSignal): Promise<void> {
  if ((await ip(["link", "show", "dev", tap], signal)) !== null) return;
  await must(["tuntap", "del", "dev", tap, "mode", "tap"], `could not remove the tap ${tap}`, signal);
}

async function must(args: readonly string[], message: string, signal: AbortSignal): Promise<void> {
  const failure = await ip(args, signal);
  if (failure === null) return;
  throw new OdoroboError("HYPERVISOR_FAILED", message, {
    cause: failure,
    hint: "bridged NICs need an agent that runs as root or has CAP_NET_ADMIN, and /dev/net/tun",
  });
}

/** Null when it went well, else what `ip` said. */
function ip(args: readonly string[], signal: AbortSignal): Promise<Error | null> {
  return new Promise((resolve, reject) => {
    execFile("ip", args, { signal }, (error, _stdout, stderr) => {
      if (error === null) return resolve(null);
      if (signal.aborted) return reject(signal.reason);
      if (isErrno(error, "ENOENT")) {
        return reject(
          new OdoroboError("UNSUPPORTED", "bridged NICs need the program ip, which is not on this node", {
            hint: "install it: apt-get install iproute2",
          }),
        );
      }
      resolve(new Error(stderr.trim() || error.message));
    });
  });
}
