/**
 * What a VM should be, after profiles, defaults, sizes and references were resolved: the value that
 * manifests compile to, agents are given, hypervisors compile from, and the diff compares.
 *
 * Everything is explicit: nothing in here is "the default". Units are in the names.
 * Secrets are not in here: texts that may hold them travel by digest (see `DesiredState.files`).
 */
import type { Digest } from "./names.ts";
import type { ImageFormat, RemoteImage } from "./remote-image.ts";

export const HYPERVISOR_KINDS = ["cloud-hypervisor", "qemu", "propolis", "noop"] as const;
export type HypervisorKind = (typeof HYPERVISOR_KINDS)[number];

/**
 * Who decides that the guest runs.
 * - `Always`: it should run; one that ends by itself is started again by its agent (ADR 0013), a stopped one by the next apply.
 * - `RerunOnFailure`: like Always, but a guest that powered itself off stays off.
 * - `Manual`: a person decides; odorobo never starts or stops it because of this field.
 * - `Stopped`: it should be off.
 */
export const RUN_STRATEGIES = ["Always", "RerunOnFailure", "Manual", "Stopped"] as const;
export type RunStrategy = (typeof RUN_STRATEGIES)[number];

export interface VmSpec {
  readonly hypervisor: HypervisorKind;
  readonly runStrategy: RunStrategy;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** `max` is the room for growth that the guest is booted with; never below `count`. */
  readonly cpus: { readonly count: number; readonly max: number };
  readonly memory: { readonly sizeMiB: number; readonly maxMiB: number };
  readonly boot: BootSource;
  readonly disks: readonly Disk[];
  readonly nics: readonly Nic[];
  readonly cloudInit: CloudInit | null;
  /** When the guest counts as up. null: as soon as the hypervisor runs it. */
  readonly ready: ReadyProbe | null;
  readonly migration: {
    /** `live`: as it runs where that can be, else off, as far as the policy lets; `live-only`: its guest is never stopped for it. */
    readonly mode: "live" | "live-only" | "cold" | "never";
    readonly downtimeMs: number;
    readonly timeoutSeconds: number;
  };
  readonly onDrain: "migrate" | "pause" | "stop" | "block";
  readonly group: string | null;
  /** Remembered by the agent: removing the manifest does not remove the protection. */
  readonly protect: boolean;
  /** How long the disks of a deleted VM are kept. */
  readonly retainDisksSeconds: number;
  /** How long what it leaves where it moved away from is kept at least. Left out: a day. */
  readonly retainMovedSeconds?: number;
  /** How long a guest may take to power off before it is cut off. */
  readonly shutdownGraceSeconds: number;
  /** Shares when the node is busy, 1 to 10,000, as cgroup v2 has them; null: the node's default (100). Other processes weigh 100. */
  readonly weights: { readonly cpu: number | null; readonly io: number | null };
  /** Hypervisor-specific settings that odorobo does not model, merged last by the hypervisor's compile. Diffed like the rest. */
  readonly passthrough: Readonly<Record<string, unknown>>;
}

/**
 * What the guest starts from: firmware that boots the first disk, or a kernel loaded directly.
 * Paths are paths on the node. `kernel: "builtin:tiny"` is the small guest that odorobo brings along.
 */
export type BootSource =
  | { readonly kind: "firmware"; readonly firmware: string }
  | { readonly kind: "kernel"; readonly kernel: string; readonly initramfs: string | null; readonly cmdline: string };

export const BUILTIN_TINY_GUEST = "builtin:tiny";

/** A disk. `origin` says who owns the bytes. */
export interface Disk {
  readonly name: string;
  readonly origin: DiskOrigin;
  readonly readonly: boolean;
}

/**
 * - `image`: copy-on-write over an image on the node; the overlay is the agent's, kept after deletion until the retention ends.
 *   `remote`: the node fetches the image, and `path` is no file, but its name: `image:debian-12`.
 * - `blank`: an empty volume of the agent's, kept likewise.
 * - `external`: someone else's bytes (`file://`, `rbd://`, `iscsi://`, `nbd://`); never created, resized or deleted by us.
 */
export type DiskOrigin =
  | {
      readonly kind: "image";
      readonly image: string;
      readonly path: string;
      readonly format: ImageFormat;
      readonly sizeMiB: number;
      readonly remote?: RemoteImage;
    }
  | { readonly kind: "blank"; readonly sizeMiB: number }
  | { readonly kind: "external"; readonly url: string };

/** Whether its bytes are on one node and stay there when the VM leaves: the agent's own, and files. A `file://` on shared storage looks the same from here. */
export const isLocal = (origin: DiskOrigin): boolean => origin.kind !== "external" || origin.url.startsWith("file:");

export type { ImageFormat };

export interface Nic {
  readonly name: string;
  readonly network: string;
  readonly attachment: NicAttachment;
  /** Lower case, colon separated. Derived from fleet, VM and NIC name unless the manifest gives one. */
  readonly mac: string;
  /** `10.0.0.11/24`, handed to cloud-init; null: DHCP or nothing. */
  readonly address: string | null;
  /** Sorted by guest port, protocol and host; left out: none. */
  readonly forwards?: readonly Forward[];
  /** What its guest is told beside its address. Left out: nothing. */
  readonly config?: NicConfig;
  /** How its agent makes the bridge that it is on. Left out: that is the node's own, or there is none. */
  readonly made?: MadeNetwork;
  /** What it may send, and what may come to it. Left out: everything. */
  readonly rules?: NicRules;
}

/** A port of the node that leads to one of the guest. */
export interface Forward {
  readonly guestPort: number;
  readonly protocol: "tcp" | "udp";
  /** An IPv4 address of the node: `127.0.0.1`, or `0.0.0.0` for all of them. */
  readonly host: string;
  /** Null: the agent chooses one and keeps it. In what a running guest has it never is. */
  readonly hostPort: number | null;
}

export interface NicConfig {
  readonly gateway?: string;
  readonly dns?: readonly string[];
  readonly domain?: string;
  readonly routes?: readonly { readonly to: string; readonly via: string }[];
  readonly mtu?: number;
}

/**
 * A network that agents make on each node that has a guest on it, and take away with the last one. All that a node needs to know for
 * that travels with every NIC on it: an agent knows no manifests.
 */
export interface MadeNetwork {
  readonly type: "nat" | "routed" | "vlan" | "vxlan";
  /** Of vlan and vxlan. */
  readonly id?: number;
  /** Of vlan: the card of the node that carries it. */
  readonly parent?: string;
  /** Of vxlan: the UDP port between nodes. */
  readonly port?: number;
  /** Of vxlan: the underlay addresses of all nodes of the fleet. A node knows itself by having one of them. */
  readonly peers?: Readonly<Record<string, string>>;
  /** `10.20.0.0/24`. */
  readonly subnet?: string;
  /** The bridge's own address in `subnet`. */
  readonly gateway?: string;
  /** `fd00:20::/64`; the bridge has the first address of it. */
  readonly subnet6?: string;
  readonly ipv6?: "slaac" | "dhcp";
  /** Its agents hand out addresses and answer for names. */
  readonly dhcp?: boolean;
  /** Whom the agents' own name server asks; left out: whom the node asks. */
  readonly dns?: readonly string[];
  readonly domain?: string;
  readonly mtu?: number;
}

export interface NicRules {
  /** It reaches nobody on its bridge but the node itself. */
  readonly isolated?: true;
  /** It sends only from its own MAC and IP addresses. */
  readonly antiSpoofing?: true;
  /** Who may begin to talk to it; left out: everybody. */
  readonly allow?: readonly FirewallRule[];
}

export interface FirewallRule {
  /** Subnets and addresses; left out: anywhere. */
  readonly from?: readonly string[];
  /** First and last; left out: all. */
  readonly ports?: readonly (readonly [number, number])[];
  readonly protocol: "tcp" | "udp" | "icmp" | "any";
}

/** `user`: NAT inside the hypervisor process, no privileges needed. `bridge`: a tap on a bridge of the node. `none`: a NIC with no peer. */
export type NicAttachment =
  | { readonly kind: "user" }
  | { readonly kind: "bridge"; readonly bridge: string }
  | { readonly kind: "none" };

export interface CloudInit {
  /** Digest of the user-data text, or null. The text is in `DesiredState.files` and goes to the agent beside the spec. */
  readonly userData: Digest | null;
  readonly networkConfig: Digest | null;
  readonly sshKeys: readonly string[];
  /** Who the guest's user is, for who logs in. Left out: the manifest does not say. */
  readonly user?: string;
  /** Digests of texts, as `userData`. Left out: none. */
  readonly vendorData?: Digest;
  readonly metaData?: Digest;
  /** Another word makes the guest a new instance at its next boot: cloud-init begins anew. Left out: as it has ever been. */
  readonly instance?: string;
}

export type ReadyProbe =
  | { readonly kind: "serial"; readonly pattern: string; readonly timeoutSeconds: number }
  | { readonly kind: "tcp"; readonly port: number; readonly timeoutSeconds: number };

/** Where `ready.tcp` can reach the guest from its node: user-mode networks cannot be connected into. Null: nowhere. */
export const probeAddress = ({ nics }: Pick<VmSpec, "nics">): string | null =>
  nics
    .find((nic) => nic.attachment.kind === "bridge" && nic.address !== null)
    ?.address?.split("/")
    .at(0) ?? null;

/** Whether the run strategy wants the guest to run, given how it last ended. `null`: a person decides. */
export function wantsRunning(strategy: RunStrategy, endedByItself: boolean): boolean | null {
  switch (strategy) {
    case "Always":
      return true;
    case "RerunOnFailure":
      return endedByItself ? null : true;
    case "Manual":
      return null;
    case "Stopped":
      return false;
  }
}

/** Texts (by digest) that an agent must be given together with this spec. */
export function referencedFiles(spec: VmSpec): readonly Digest[] {
  const { userData, networkConfig, vendorData, metaData } = spec.cloudInit ?? {};
  const digests = [userData, networkConfig, vendorData, metaData];
  return digests.filter((d): d is Digest => d !== null && d !== undefined);
}
