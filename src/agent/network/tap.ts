/**
 * Taps: what connects a guest's NIC to a bridge of the node. Made before a guest starts (or a NIC is attached), removed
 * when it is gone. `ip` appears in no other file; it is run without a shell.
 */
import { execFile } from "node:child_process";
import { access, readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { promisify } from "node:util";
import type { LookAnswer, NetworkQuestion } from "../../model/boot/boot-needs.ts";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import type { GuestAddress, NetworkReport } from "../../model/observed-state.ts";
import type { Nic } from "../../model/vm-spec.ts";
import { tapName } from "../launch-command.ts";
import { type Neighbour, parseNeighbours } from "./neighbours.ts";
import type { PlacedNic } from "./wanted/wanted-network.ts";

export interface HostNetwork {
  /** Makes the taps of these NICs and puts them on their bridges. Doing it again is harmless. Other NICs need nothing. */
  prepareTaps(vm: string, nics: readonly Nic[], signal: AbortSignal): Promise<void>;
  /** Removes the taps of these NICs; those that are not there are no failure. */
  removeTaps(vm: string, nics: readonly Nic[], signal: AbortSignal): Promise<void>;
  /** Puts those taps back on their bridges that are there and not on them. One that is gone its guest has lost until its next boot. */
  replugTaps(vm: string, nics: readonly Nic[], signal: AbortSignal): Promise<void>;
  /** The bridge that the NIC's tap is on; null: on none, or the tap is gone. */
  bridgeOf(vm: string, nic: Nic): Promise<string | null>;
  /** Whether there is a network interface of this name. Left out: nobody knows. Rejects with UNSUPPORTED where that cannot be asked. */
  hasBridge?(name: string, signal: AbortSignal): Promise<boolean>;
  /** Whom the node has heard from. Left out: nobody knows. */
  neighbours?(signal: AbortSignal): Promise<readonly Neighbour[]>;
  // Of who makes networks, too: left out by who only makes taps.
  /** From now on networks are kept for these guests. */
  begin?(keeping: Keeping): void;
  /** What is around these NICs of a running guest is other than it was. Rejects with what keeps it from being made. */
  update?(vm: string, nics: readonly Nic[], signal: AbortSignal): Promise<void>;
  /** Looks whether all stands as it should, and puts it right. */
  settle?(signal: AbortSignal): Promise<void>;
  /** Addresses that its own servers gave these NICs. */
  leasesOf?(nics: readonly Nic[]): readonly GuestAddress[];
  /** Networks that stand, or should. */
  report?(): readonly NetworkReport[];
  /** What the node would need for networks and has not, for people. */
  lacks?(): readonly string[];
  /** Whether it could be made here. */
  lookFor?(question: NetworkQuestion, signal: AbortSignal): Promise<LookAnswer | null>;
}

/** What the lifecycle knows, and wants to hear. */
export interface Keeping {
  /** NICs of guests that run, or are being started. */
  readonly placed: () => readonly PlacedNic[];
  /** Something that stood was not as it should be, and is again. */
  readonly tell: (vms: readonly string[], message: string) => void;
}

/** `owner`: the user that may open the taps, so that no hypervisor needs to be privileged; null: root alone. */
export const hostNetwork = ({ owner }: { readonly owner: string | null }): HostNetwork => ({
  async prepareTaps(vm, nics, signal) {
    for (const { name, attachment, mac } of nics)
      if (attachment.kind === "bridge")
        await prepareTap({ tap: tapName(vm, name), bridge: attachment.bridge, mac, owner }, signal);
  },
  async replugTaps(vm, nics, signal) {
    for (const { name, attachment, mac } of nics) {
      if (attachment.kind !== "bridge") continue;
      const [tap, { bridge }] = [tapName(vm, name), attachment];
      if ((await bridgeOf(tap)) === bridge || !(await isThere(tap))) continue;
      await plug({ tap, bridge, mac }, signal);
    }
  },
  bridgeOf: (vm, { name }) => bridgeOf(tapName(vm, name)),
  async removeTaps(vm, nics, signal) {
    for (const { name, attachment } of nics)
      if (attachment.kind === "bridge") await removeTap(tapName(vm, name), signal);
  },
  hasBridge: async (name, signal) => (await ip(["link", "show", "dev", name], signal)) === null,
  neighbours: async (signal) => parseNeighbours(await output(["-json", "neigh", "show"], signal)),
});

interface Plug {
  readonly tap: string;
  readonly bridge: string;
  /** The guest's. */
  readonly mac: string;
}

async function prepareTap(
  { owner, ...plan }: Plug & { readonly owner: string | null },
  signal: AbortSignal,
): Promise<void> {
  const { tap, bridge } = plan;
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
  await plug(plan, signal);
}

/**
 * A bridge takes the lowest MAC address of its ports for its own, and the smallest MTU for that of all, unless it was told
 * others: so that the node's own connections do not change with its guests, a tap has an address above every other (the guest's,
 * beginning with fe, as libvirt does it) and the MTU that the bridge has before it is on it.
 */
async function plug({ tap, bridge, mac }: Plug, signal: AbortSignal): Promise<void> {
  const mtu = (await readFile(`/sys/class/net/${bridge}/mtu`, "utf8")).trim();
  const looks = ["address", `fe${mac.slice(2)}`, "mtu", mtu];
  await must(["link", "set", "dev", tap, ...looks], `could not make ${tap} fit ${bridge}`, signal);
  await must(["link", "set", "dev", tap, "master", bridge, "up"], `could not put ${tap} on ${bridge}`, signal);
}

const bridgeOf = (tap: string): Promise<string | null> =>
  readlink(`/sys/class/net/${tap}/master`).then(basename, () => null);

const isThere = (tap: string): Promise<boolean> =>
  access(`/sys/class/net/${tap}`).then(
    () => true,
    () => false,
  );

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

/** What `ip` printed; a table of tens of thousands is not asked for anything. */
async function output(args: readonly string[], signal: AbortSignal): Promise<string> {
  const { stdout } = await promisify(execFile)("ip", args, { signal, maxBuffer: 8 * 1024 * 1024 });
  return stdout;
}
