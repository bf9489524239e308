/** Generated from schemas/ by scripts/generate-types.ts: `npm run schemas`. What users write, before anything is resolved. */

/**
 * Any document of a manifest.
 */
export type ManifestDocument =
  | FleetDocument
  | NodeDocument
  | VirtualMachineDocument
  | ProfileDocument
  | GroupDocument
  | NetworkDocument
  | ImageDocument;
/**
 * A DNS label.
 */
export type CommonName = string;
/**
 * Keys and values are text: write "true" with quotes.
 */
export type CommonLabels = {
  [k: string]: string;
} | null;
/**
 * Defaults and policy.
 */
export type FleetSpec = {
  defaults?: FleetDefaults;
  /**
   * What an apply may do without being asked twice.
   */
  policy?: {
    /**
     * No change may be worse than this. Left out: everything but replace, which loses local disks and must be asked for.
     */
    maxClass?: "none" | "metadata" | "live" | "pause" | "migrate" | "reboot" | "replace" | "destroy" | null;
    /**
     * What may be done to a guest that is there: allow, window (in its windows, and planned for the next outside of them), or refuse the plan. Nothing here stops a VM from being made or started.
     */
    disruption?: {
      /**
       * Changed while it runs: resized, plugged. Left out: allow.
       */
      live?: "allow" | "window" | "refuse" | null;
      /**
       * It stands still for a while. Left out: window where the VM has windows, else allow.
       */
      pause?: "allow" | "window" | "refuse" | null;
      /**
       * It moves to another node. Left out: allow.
       */
      migrate?: "allow" | "window" | "refuse" | null;
      /**
       * It is stopped, or started anew. Left out: window where the VM has windows, else allow.
       */
      reboot?: "allow" | "window" | "refuse" | null;
      /**
       * It is deleted and made anew; its local disks stay behind. Left out: refuse, unless maxClass or --max-class allows it; then window where the VM has windows.
       */
      replace?: "allow" | "window" | "refuse" | null;
      /**
       * Its VM is deleted. Left out: allow, within destroyGuard.
       */
      destroy?: "allow" | "window" | "refuse" | null;
    } | null;
    windows?: CommonWindows;
    /**
     * More VMs destroyed or replaced in one apply than the larger of the two needs --allow-destroy.
     */
    destroyGuard?: {
      /**
       * Of the fleet's VMs.
       */
      percent?: number | null;
      /**
       * VMs. Left out: 5, but no more than a third of the fleet; one may always go.
       */
      count?: number | null;
    } | null;
    /**
     * How many steps of an apply run at the same time.
     */
    parallelism?: {
      /**
       * In all.
       */
      total?: number | null;
      /**
       * On one node.
       */
      perNode?: number | null;
    } | null;
    /**
     * How many guests move at the same time, beside parallelism.
     */
    moves?: {
      /**
       * In all. Left out: as parallelism allows.
       */
      total?: number | null;
      /**
       * With one node at either end. Left out: as parallelism allows.
       */
      perNode?: number | null;
    } | null;
    gateway?: GatewayPolicyManifest;
  } | null;
} | null;
/**
 * A part of a VM's spec, merged underneath all profiles.
 */
export type FleetDefaults = {
  hypervisor?: VirtualMachineHypervisor;
  runStrategy?: VirtualMachineRunStrategy;
  placement?: VirtualMachinePlacement;
  cpus?: VirtualMachineCpus;
  memory?: VirtualMachineMemory;
  image?: VirtualMachineImage;
  size?: CommonSize;
  boot?: VirtualMachineBoot;
  disks?: VirtualMachineDisks;
  nics?: VirtualMachineNics;
  cloudInit?: VirtualMachineCloudInit;
  ready?: VirtualMachineReady;
  migration?: VirtualMachineMigration;
  onDrain?: VirtualMachineOnDrain;
  windows?: CommonWindows;
  group?: VirtualMachineGroup;
  protect?: VirtualMachineProtect;
  ignore?: VirtualMachineIgnore;
  retain?: VirtualMachineRetain;
  shutdownGrace?: CommonDuration;
  weights?: VirtualMachineWeights;
  cloudHypervisor?: VirtualMachineCloudHypervisor;
  qemu?: VirtualMachineQemu;
} | null;
/**
 * What runs the guest. The fleet's default, else cloud-hypervisor. noop runs nothing and answers at once: for rehearsals.
 */
export type VirtualMachineHypervisor = "cloud-hypervisor" | "qemu" | "propolis" | "noop" | null;
/**
 * Who decides that the guest runs. Always: it should run. RerunOnFailure: like Always, but a guest that powered itself off stays off. Manual: a person decides. Stopped: it should be off.
 */
export type VirtualMachineRunStrategy = "Always" | "RerunOnFailure" | "Manual" | "Stopped" | null;
/**
 * Where the VM may live: a constraint. Left out: any node.
 */
export type VirtualMachinePlacement = {
  /**
   * This node and no other.
   */
  node?: string | null;
  /**
   * One of these nodes.
   *
   * @minItems 1
   */
  nodes?: string[] | null;
  selector?: CommonLabels;
  /**
   * What the labels of its node are to be: more than equal. Each that is required must hold.
   */
  nodeAffinity?: NodeAffinityRule[] | null;
  /**
   * Be where VMs with these labels are.
   */
  affinity?: AffinityRule[] | null;
  /**
   * Be where no VM with these labels is.
   */
  antiAffinity?: AffinityRule[] | null;
  /**
   * Be spread evenly, together with the VMs that have these labels.
   */
  spread?: SpreadRule[] | null;
} | null;
/**
 * What labels must be, each of them.
 *
 * @minItems 1
 */
export type VirtualMachineMatchExpressions = LabelExpression[];
/**
 * How much a wish counts beside others: only where required is false.
 */
export type VirtualMachineWeight = number;
/**
 * Virtual CPUs: a number, or count and max.
 */
export type VirtualMachineCpus =
  | number
  | {
      /**
       * How many the guest has.
       */
      count?: number | null;
      /**
       * How many it can be given while it runs. Default: count.
       */
      max?: number | null;
    }
  | null;
/**
 * Memory: a size, or size and max.
 */
export type VirtualMachineMemory =
  | string
  | {
      size?: CommonSize;
      max?: CommonSize;
    }
  | null;
/**
 * An amount of bytes: 512MiB, 4GiB, 20G. K, M, G and T are powers of 1024, as hypervisors and qemu-img read them; a whole number of MiB.
 */
export type CommonSize = string | null;
/**
 * Short for a disk named root: the Image it is a copy-on-write overlay of.
 */
export type VirtualMachineImage = string | null;
/**
 * What the guest starts from. Default: firmware, which boots the first disk.
 */
export type VirtualMachineBoot = {
  /**
   * A path on the node, or default: the one the agent knows for the hypervisor.
   */
  firmware?: string | null;
  /**
   * A kernel to load directly: a path on the node, or builtin:tiny, the small guest that odorobo brings along.
   */
  kernel?: string | null;
  /**
   * An initramfs for the kernel: a path on the node.
   */
  initramfs?: string | null;
  /**
   * The kernel's command line.
   */
  cmdline?: string | null;
} | null;
/**
 * Disks, by name. The one named root comes first, the others in the order written; firmware boots the first. Merged by name with the profile's.
 *
 * @maxItems 64
 */
export type VirtualMachineDisks = DiskManifest[] | null;
/**
 * Network cards, by name, in the order written. Merged by name with the profile's.
 *
 * @maxItems 32
 */
export type VirtualMachineNics = NicManifest[] | null;
/**
 * A port of the node that leads to one of the guest: GUEST, HOST:GUEST, ADDRESS:HOST:GUEST, with /udp behind it for UDP; or its parts by name.
 */
export type CommonForward =
  | number
  | string
  | {
      /**
       * The guest's port.
       */
      guest: number;
      /**
       * The node's port. Left out: the agent chooses one that is free, and keeps it.
       */
      host?: number | null;
      /**
       * The node's address that it is open at; 0.0.0.0 is all of them.
       */
      address?: string | null;
      /**
       * tcp or udp.
       */
      protocol?: "tcp" | "udp" | null;
    };
/**
 * Whoever is not named may not begin to talk to it; answers always come through.
 */
export type FirewallManifest = {
  /**
   * Who may. An empty list: nobody.
   *
   * @maxItems 64
   */
  allow: FirewallRuleManifest[];
} | null;
export type VirtualMachineFirewallPeer = string;
export type VirtualMachineFirewallPort = number | string;
/**
 * What cloud-init in the guest is given.
 */
export type VirtualMachineCloudInit = {
  /**
   * The guest's user: sshKeys, password and its distribution's rights are this one's, instead of debian, ubuntu, …
   */
  user?: string | null;
  /**
   * Public keys that may log in.
   */
  sshKeys?: string[] | null;
  /**
   * For the console. Only its hash is ever written down: openssl passwd -6.
   */
  password?: {
    /**
     * As in /etc/shadow.
     */
    hash: string;
  } | null;
  /**
   * Left out: the VM's name.
   */
  hostname?: string | null;
  /**
   * Such as Europe/Berlin. Left out: the image's.
   */
  timezone?: string | null;
  /**
   * Installed at the first boot, after the lists of packages were fetched.
   *
   * @maxItems 256
   */
  packages?: string[] | null;
  /**
   * Written at the first boot.
   *
   * @maxItems 64
   */
  files?: GuestFileManifest[] | null;
  /**
   * Run once, at the end of the first boot: lines for sh, or a program and its arguments.
   *
   * @maxItems 256
   */
  runcmd?: (string | string[])[] | null;
  /**
   * Whether the guest's root file system grows to its disk. Left out: as the image does it, which is yes nearly everywhere.
   */
  growRoot?: boolean | null;
  /**
   * In cloud-init's own words: the text itself (several lines, or beginning with #), or the path of a file beside this manifest, beginning with ./ or ../. What is said in words is added to it, and it wins where both say something.
   */
  userData?: string | null;
  /**
   * The same for the network configuration.
   */
  networkConfig?: string | null;
  /**
   * As userData; what userData says counts for more.
   */
  vendorData?: string | null;
  /**
   * More of the instance's metadata; its id and name are odorobo's.
   */
  metaData?: {
    [k: string]: string;
  } | null;
  /**
   * Another word makes the guest a new instance at its next boot: cloud-init's first boot runs again (users, keys, runcmd, write_files), and makes new SSH host keys. Whatever else changes, it stays the instance that it is.
   */
  instance?: string | null;
} | null;
/**
 * When the guest counts as up: one of serial and tcp. Left out: as soon as the hypervisor runs it.
 */
export type VirtualMachineReady = {
  /**
   * A text that appears on the serial line.
   */
  serial?: string | null;
  /**
   * A port that accepts connections on the guest's first address.
   */
  tcp?: number | null;
  timeout?: CommonDuration;
} | null;
/**
 * A length of time: 300ms, 90s, 10m, 1h30m, 7d.
 */
export type CommonDuration = string | null;
/**
 * How the VM moves to another node.
 */
export type VirtualMachineMigration = {
  /**
   * live: while it runs; where that cannot be, it is stopped, goes with its disks and is started there, if the policy allows a reboot. live-only: its guest is never stopped for a move. cold: always switched off. never: it stays.
   */
  mode?: "live" | "live-only" | "cold" | "never" | null;
  downtime?: CommonDuration;
  timeout?: CommonDuration;
} | null;
/**
 * What happens to the VM when its node is emptied.
 */
export type VirtualMachineOnDrain = "migrate" | "pause" | "stop" | "block" | null;
/**
 * When guests may be disturbed: times of the week.
 *
 * @minItems 1
 * @maxItems 50
 */
export type CommonWindows = WindowManifest[] | null;
/**
 * The Group whose members are not all taken down at once.
 */
export type VirtualMachineGroup = string | null;
/**
 * true: never destroyed or replaced. The agent remembers it: removing this document does not remove the protection.
 */
export type VirtualMachineProtect = boolean | null;
/**
 * Fields whose differences are left alone, as pointers into this document: /spec/cpus/count.
 */
export type VirtualMachineIgnore = string[] | null;
/**
 * What stays after the VM was deleted, or has moved away.
 */
export type VirtualMachineRetain = {
  disks?: CommonDuration;
  moved?: CommonDuration;
} | null;
/**
 * The VM's share of the node when it is busy, against the other VMs: 200 gets twice what 100 gets. Needs the systemd supervisor. Left out: 100, as every process of the node.
 */
export type VirtualMachineWeights = {
  /**
   * Of the processors.
   */
  cpu?: number | null;
  /**
   * Of the disks of the node, where its kernel shares them out.
   */
  io?: number | null;
} | null;
/**
 * Settings of cloud-hypervisor's VmConfig that odorobo does not model, merged last.
 */
export type VirtualMachineCloudHypervisor = {
  [k: string]: unknown;
} | null;
/**
 * Settings of QEMU that odorobo does not model, merged last.
 */
export type VirtualMachineQemu = {
  [k: string]: unknown;
} | null;
/**
 * What odorobo watch and a gateway may do by themselves. Budgets, guards and windows hold besides.
 */
export type GatewayPolicyManifest = {
  /**
   * Changes up to this class are made without asking.
   */
  auto?: "none" | "metadata" | "live" | "pause" | "migrate" | "reboot" | "replace" | "destroy" | null;
  /**
   * Changes of these classes wait for a person's approval, also where auto would allow them. What is neither in auto nor here is refused. Left out: everything worse than auto.
   */
  approve?: ("metadata" | "live" | "pause" | "migrate" | "reboot" | "replace" | "destroy")[] | null;
  windows?: CommonWindows;
  /**
   * Nothing is done, whoever approves it: plans are made and shown.
   */
  suspend?: boolean | null;
  /**
   * When guests are no longer as the manifests say and nobody changed the manifests: revert it (within auto and approve), report it, or leave it alone (off).
   */
  healDrift?: "revert" | "report" | "off" | null;
} | null;
/**
 * How much a second: 10Gbit/s and 800Mbit/s are the speed of a link, 400MiB/s and 2GiB/s what gets through it.
 */
export type CommonRate = string | null;
/**
 * A Profile that is merged underneath this document.
 */
export type VirtualMachineProfile = string | null;
/**
 * How many at a time.
 */
export type GroupSpec = {
  /**
   * How many members one plan may have down at the same time.
   */
  maxUnavailable?: number | null;
  windows?: CommonWindows;
} | null;
/**
 * Where nodes fetch it: https://, http:// or file:///; of a list the first that answers. With a checksum, always.
 */
export type ImageUrls = string | string[];
/**
 * Of the file as it is fetched, before it is decompressed.
 */
export type HexadecimalDigits = string;
/**
 * Of the file as it is fetched, before it is decompressed.
 */
export type HexadecimalDigits1 = string;
/**
 * Left out: as the name of the source ends, in .gz, .zst, .xz or .bz2.
 */
export type ImageCompression = "none" | "gz" | "zst" | "xz" | "bz2" | null;

/**
 * The fleet: one document for all the manifests of a repository. Its name is how agents tell whose VMs they keep.
 */
export interface FleetDocument {
  /**
   * The version of the manifest language.
   */
  apiVersion: "odorobo.dev/v1";
  /**
   * What this document describes.
   */
  kind: "Fleet";
  metadata: Metadata;
  spec?: FleetSpec;
}
/**
 * The name and the labels of the thing.
 */
export interface Metadata {
  name: CommonName;
  labels?: CommonLabels;
  /**
   * Notes for people and other tools. odorobo keeps them and reads nothing from them.
   */
  annotations?: {
    [k: string]: string;
  } | null;
}
/**
 * A rule about the labels of its node.
 */
export interface NodeAffinityRule {
  /**
   * Labels that the node has.
   */
  match?: {
    [k: string]: string;
  };
  matchExpressions?: VirtualMachineMatchExpressions;
  /**
   * true: never broken. false: a wish.
   */
  required?: boolean;
  weight?: VirtualMachineWeight;
}
/**
 * One thing that a label must be.
 */
export interface LabelExpression {
  /**
   * Of the label.
   */
  key: string;
  /**
   * In, NotIn: one of the values, or none of them (a label that is not there is none of them). Exists, DoesNotExist: whatever its value. Gt, Lt: a whole number that is more, or less, than the value.
   */
  operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
  /**
   * Of In and NotIn at least one; of Gt and Lt one whole number; of the others none.
   */
  values?: string[];
}
/**
 * A rule about other VMs.
 */
export interface AffinityRule {
  /**
   * Labels that the other VMs have.
   */
  match?: {
    [k: string]: string;
  };
  matchExpressions?: VirtualMachineMatchExpressions;
  /**
   * What may not (or must) be shared: node, or the key of a node label that names a domain, such as rack.
   */
  per?: string;
  /**
   * true: never broken. false: a wish.
   */
  required?: boolean;
  weight?: VirtualMachineWeight;
}
/**
 * A rule about how many VMs of a kind are where. It counts all VMs that it matches, and this one must be one of them.
 */
export interface SpreadRule {
  /**
   * Labels that the VMs have.
   */
  match?: {
    [k: string]: string;
  };
  matchExpressions?: VirtualMachineMatchExpressions;
  /**
   * What they are spread over: node, or the key of a node label that names a domain, such as rack.
   */
  per?: string;
  /**
   * How many more may be in one domain than in the emptiest that one of them could live in.
   */
  maxSkew?: number;
  /**
   * true: never broken. false: a wish.
   */
  required?: boolean;
  weight?: VirtualMachineWeight;
}
/**
 * A disk: over an image, blank (only a size), or someone else's bytes (source).
 */
export interface DiskManifest {
  name: CommonName;
  /**
   * The Image it is a copy-on-write overlay of. odorobo owns the overlay.
   */
  image?: string | null;
  size?: CommonSize;
  /**
   * Bytes that odorobo never creates, resizes or deletes.
   */
  source?: string | null;
  /**
   * The guest cannot write to it.
   */
  readonly?: boolean | null;
}
/**
 * A network card.
 */
export interface NicManifest {
  name: CommonName;
  /**
   * The Network it is on. default is there without being written: NAT inside the hypervisor's process.
   */
  network?: string | null;
  /**
   * Derived from fleet, VM and NIC name unless given.
   */
  mac?: string | null;
  /**
   * Address and prefix length for cloud-init: 10.0.0.11/24. Left out: DHCP.
   */
  address?: string | null;
  /**
   * Ports of the node that lead to ports of the guest, on networks of type user: 2222:22, or 22 alone for a port that the agent chooses and keeps. The list takes the place of the Network's.
   *
   * @maxItems 64
   */
  forwards?: CommonForward[] | null;
  /**
   * Its way out, told to the guest. Left out: its network's.
   */
  gateway?: string | null;
  /**
   * Name servers that the guest is told of. Left out: its network's.
   *
   * @maxItems 3
   */
  dns?: string[] | null;
  firewall?: FirewallManifest;
}
/**
 * Packets that may come in.
 */
export interface FirewallRuleManifest {
  /**
   * any, a subnet or an address: 10.0.0.0/8, or the members of a Group: group:web, by the addresses that they declare on this network. A list: any of them.
   */
  from?: VirtualMachineFirewallPeer | VirtualMachineFirewallPeer[] | null;
  /**
   * A port, several (8000-8100), or a list. Left out: all.
   */
  port?: VirtualMachineFirewallPort | VirtualMachineFirewallPort[] | null;
  /**
   * any: all that is IP.
   */
  protocol?: "tcp" | "udp" | "icmp" | "any" | null;
}
/**
 * A file in the guest.
 */
export interface GuestFileManifest {
  /**
   * Absolute.
   */
  path: string;
  /**
   * The text itself, or the path of a file beside this manifest, beginning with ./ or ../.
   */
  content: string;
  /**
   * Default: 0644.
   */
  mode?: string | null;
  /**
   * Default: root:root.
   */
  owner?: string | null;
}
/**
 * From a time of the day until another, on some days of the week.
 */
export interface WindowManifest {
  /**
   * On which it begins. Left out: every day.
   *
   * @minItems 1
   */
  days?: ("mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun")[] | null;
  /**
   * When it opens: 02:00.
   */
  from: string;
  /**
   * When it closes: 04:00. Not after from: on the day after.
   */
  until: string;
  /**
   * Whose clocks: Europe/Berlin. Left out: UTC. Where clocks skip its beginning it opens as much later; where they show it twice, at the first.
   */
  timezone?: string | null;
}
/**
 * A server with an agent. Its labels are in metadata.labels.
 */
export interface NodeDocument {
  /**
   * The version of the manifest language.
   */
  apiVersion: "odorobo.dev/v1";
  /**
   * What this document describes.
   */
  kind: "Node";
  metadata: Metadata;
  spec: NodeSpec;
}
/**
 * How to reach it and what it may hold.
 */
export interface NodeSpec {
  /**
   * Where its agent listens: http://host:port, https://host:port or unix:///path.
   */
  address: string;
  /**
   * Kept free for the host itself.
   */
  reserved?: {
    /**
     * Cores.
     */
    cpus?: number | null;
    memory?: CommonSize;
  } | null;
  /**
   * Factors on what is left after reserved.
   */
  overcommit?: {
    /**
     * 4 sells each core four times.
     */
    cpus?: number | null;
    /**
     * More than 1 relies on swap or on guests that do not use what they have.
     */
    memory?: number | null;
  } | null;
  /**
   * Takes no new VMs; those it has stay.
   */
  cordoned?: boolean | null;
  /**
   * A person's word that the node is off and stays off: its VMs may be started elsewhere. No effect while its agent answers.
   */
  fenced?: boolean | null;
  /**
   * The node is to be worked on: it takes no new VMs, and those it has leave as their onDrain says. true, or since when, until when and why; what is left out of from and until is open.
   */
  maintenance?:
    | boolean
    | {
        /**
         * When it begins: 2026-12-01T22:00:00Z. Left out: at once.
         */
        from?: string | null;
        /**
         * When it is over: 2026-12-02T04:00:00+01:00. Left out: when this is removed.
         */
        until?: string | null;
        /**
         * For people: why.
         */
        reason?: string | null;
      }
    | null;
  windows?: CommonWindows;
  /**
   * What its network can do.
   */
  network?: {
    migrationBandwidth?: CommonRate;
    /**
     * Its own IP address on the way between nodes that vxlan networks take. Left out: that of its agent's address, where that is one.
     */
    underlay?: string | null;
  } | null;
}
/**
 * A virtual machine. Its name is its id everywhere. What is not written here comes from the profile, then from the fleet's defaults. null: as if the profile did not say it.
 */
export interface VirtualMachineDocument {
  /**
   * The version of the manifest language.
   */
  apiVersion: "odorobo.dev/v1";
  /**
   * What this document describes.
   */
  kind: "VirtualMachine";
  metadata: Metadata;
  spec: VirtualMachineSpec;
}
/**
 * What the VM should be.
 */
export interface VirtualMachineSpec {
  profile?: VirtualMachineProfile;
  hypervisor?: VirtualMachineHypervisor;
  runStrategy?: VirtualMachineRunStrategy;
  placement?: VirtualMachinePlacement;
  cpus?: VirtualMachineCpus;
  memory?: VirtualMachineMemory;
  image?: VirtualMachineImage;
  size?: CommonSize;
  boot?: VirtualMachineBoot;
  disks?: VirtualMachineDisks;
  nics?: VirtualMachineNics;
  cloudInit?: VirtualMachineCloudInit;
  ready?: VirtualMachineReady;
  migration?: VirtualMachineMigration;
  onDrain?: VirtualMachineOnDrain;
  windows?: CommonWindows;
  group?: VirtualMachineGroup;
  protect?: VirtualMachineProtect;
  ignore?: VirtualMachineIgnore;
  retain?: VirtualMachineRetain;
  shutdownGrace?: CommonDuration;
  weights?: VirtualMachineWeights;
  cloudHypervisor?: VirtualMachineCloudHypervisor;
  qemu?: VirtualMachineQemu;
}
/**
 * A part of a VM's spec under a name. Merged underneath the VMs that name it: objects merge, disks and nics merge by name, other lists replace, null removes.
 */
export interface ProfileDocument {
  /**
   * The version of the manifest language.
   */
  apiVersion: "odorobo.dev/v1";
  /**
   * What this document describes.
   */
  kind: "Profile";
  metadata: Metadata;
  spec: ProfileSpec;
}
/**
 * What the VMs of this profile have unless they say otherwise.
 */
export interface ProfileSpec {
  /**
   * A Profile that is merged underneath this one.
   */
  base?: string | null;
  hypervisor?: VirtualMachineHypervisor;
  runStrategy?: VirtualMachineRunStrategy;
  placement?: VirtualMachinePlacement;
  cpus?: VirtualMachineCpus;
  memory?: VirtualMachineMemory;
  image?: VirtualMachineImage;
  size?: CommonSize;
  boot?: VirtualMachineBoot;
  disks?: VirtualMachineDisks;
  nics?: VirtualMachineNics;
  cloudInit?: VirtualMachineCloudInit;
  ready?: VirtualMachineReady;
  migration?: VirtualMachineMigration;
  onDrain?: VirtualMachineOnDrain;
  windows?: CommonWindows;
  group?: VirtualMachineGroup;
  protect?: VirtualMachineProtect;
  ignore?: VirtualMachineIgnore;
  retain?: VirtualMachineRetain;
  shutdownGrace?: CommonDuration;
  weights?: VirtualMachineWeights;
  cloudHypervisor?: VirtualMachineCloudHypervisor;
  qemu?: VirtualMachineQemu;
}
/**
 * VMs that are not all taken down at once.
 */
export interface GroupDocument {
  /**
   * The version of the manifest language.
   */
  apiVersion: "odorobo.dev/v1";
  /**
   * What this document describes.
   */
  kind: "Group";
  metadata: Metadata;
  spec?: GroupSpec;
}
/**
 * What NICs are plugged into. One named default, of type user, is there without being written.
 */
export interface NetworkDocument {
  /**
   * The version of the manifest language.
   */
  apiVersion: "odorobo.dev/v1";
  /**
   * What this document describes.
   */
  kind: "Network";
  metadata: Metadata;
  spec: NetworkSpec;
}
/**
 * How a NIC is attached.
 */
export interface NetworkSpec {
  /**
   * user: NAT inside the hypervisor's process, no privileges needed. bridge: a tap on a bridge of the node. none: a NIC with no peer. The rest odorobo makes on each node that has a VM on it, and takes away with the last one: nat: a bridge with a subnet, DHCP, DNS and a way out under the node's own address. routed: the same without translation: others must know the way. vlan: a bridge on a VLAN of a card of the node. vxlan: a subnet that spans the fleet's nodes.
   */
  type: "user" | "bridge" | "none" | "nat" | "routed" | "vlan" | "vxlan";
  /**
   * The bridge's interface name, for type bridge.
   */
  bridge?: string | null;
  /**
   * For type user: the forwards of NICs that have none of their own. Without host ports, so that each VM gets its own.
   *
   * @maxItems 64
   */
  forwards?: CommonForward[] | null;
  /**
   * IPv4 addresses of its guests: 10.20.0.0/24. Needed for nat and routed.
   */
  subnet?: string | null;
  /**
   * IPv6 addresses of its guests, a /64: fd00:20::/64.
   */
  subnet6?: string | null;
  /**
   * How guests come by their IPv6 addresses: slaac: from the subnet and their MAC addresses. dhcp: by DHCPv6.
   */
  ipv6?: "slaac" | "dhcp" | null;
  /**
   * Guests' way out. Of nat, routed and vxlan it is the bridge's own address; left out: the first of the subnet.
   */
  gateway?: string | null;
  /**
   * Whether odorobo hands out addresses: declared ones to their NICs, others from the subnet. false: nobody does. Only for nat, routed and vxlan.
   */
  dhcp?: boolean | null;
  /**
   * Name servers: whom guests ask, or on networks where odorobo answers them, whom it asks for all that is no VM. Left out: those of the node.
   *
   * @maxItems 3
   */
  dns?: string[] | null;
  /**
   * What follows the VMs' names: web-1.lab.internal. Left out: the network's name and .internal.
   */
  domain?: string | null;
  /**
   * More ways that guests are told of.
   *
   * @maxItems 32
   */
  routes?: RouteManifest[] | null;
  /**
   * The largest packet. Left out: the card's, of vxlan 50 (over IPv6 70) less than the underlay's.
   */
  mtu?: number | null;
  /**
   * Guests reach their gateway and what is beyond, and not one another.
   */
  isolated?: boolean | null;
  /**
   * A guest sends only from its own MAC address and its own IP addresses. Left out: on networks that odorobo makes with a subnet.
   */
  antiSpoofing?: boolean | null;
  firewall?: FirewallManifest;
  /**
   * Of vlan: its number, 1 to 4094. Of vxlan: its VNI.
   */
  id?: number | null;
  /**
   * Of vlan: the node's card that carries it.
   */
  parent?: string | null;
  /**
   * Of vxlan: fleet: all nodes of the fleet, by their network.underlay, or the address of their agents.
   */
  peers?: "fleet" | null;
  /**
   * Of vxlan: the UDP port between the nodes.
   */
  port?: number | null;
}
/**
 * A way to a subnet.
 */
export interface RouteManifest {
  /**
   * Where it leads: 10.0.0.0/8.
   */
  to: string;
  /**
   * Who knows the way.
   */
  via: string;
}
/**
 * A disk image that disks are copy-on-write overlays of: a file on the nodes, or something that they fetch.
 */
export interface ImageDocument {
  /**
   * The version of the manifest language.
   */
  apiVersion: "odorobo.dev/v1";
  /**
   * What this document describes.
   */
  kind: "Image";
  metadata: Metadata;
  spec: ImageSpec;
}
/**
 * Where it is: `path`, `source` or `architectures`.
 */
export interface ImageSpec {
  /**
   * A file on the nodes: an absolute path, the same on every node. What lies there is used as it is.
   */
  path?: string;
  source?: ImageUrls;
  sha256?: HexadecimalDigits;
  sha512?: HexadecimalDigits1;
  checksums?: ImageChecksums;
  compression?: ImageCompression;
  architectures?: ImageArchitectures;
  /**
   * What the file is, once it is decompressed. May be left out when the name ends in .qcow2 or .raw: other endings do not say.
   */
  format?: "qcow2" | "raw" | null;
}
/**
 * Instead of a checksum: a file of them, as sha256sum or sha512sum write it, that each node asks before it fetches. New bytes are for new disks.
 */
export interface ImageChecksums {
  /**
   * https:// or file:///.
   */
  url: string;
  /**
   * The image's name in it. Left out: the last part of the source's path.
   */
  file?: string;
}
/**
 * Instead of `source`: what each kind of node fetches.
 */
export interface ImageArchitectures {
  x86_64?: FetchedImage;
  aarch64?: FetchedImage;
}
export interface FetchedImage {
  source: ImageUrls;
  sha256?: HexadecimalDigits;
  sha512?: HexadecimalDigits1;
  checksums?: ImageChecksums;
  compression?: ImageCompression;
}
