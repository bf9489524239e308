/**
 * What must stand on this node for the guests that are on it, as plain values: links, addresses, rules, and who answers for names.
 *
 *   records → [wanted-networks.ts] → diff.ts → perform.ts
 */
import type { Instant } from "../../../model/names.ts";
import type { Nic } from "../../../model/vm-spec.ts";

/** A NIC that a guest on this node has, or is about to have. */
export interface PlacedNic {
  readonly vm: string;
  /** With the network as the spec last applied describes it. */
  readonly nic: Nic;
  /** When that was: of two descriptions of one network the newer counts. */
  readonly appliedAt: Instant;
}

/** What the node is and has besides. */
export interface NodeFacts {
  /** The agent's own mark on what it made: the id of its node. */
  readonly owner: string;
  readonly addresses: readonly { readonly dev: string; readonly address: string; readonly mtu: number }[];
  /** Whom the node asks for names. */
  readonly resolvers: readonly string[];
  /** Addresses that were given to NICs that declare none: by bridge, then MAC. */
  readonly leases: Leases;
}

export type Leases = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface WantedNetwork {
  /** The name in the manifests, for people. */
  readonly network: string;
  readonly bridge: string;
  /** Null: the bridge is the node's own, and only rules are ours. */
  readonly own: OwnBridge | null;
  readonly ports: readonly Port[];
  readonly tables: readonly Table[];
  /** The whole configuration of its server; null: it has none. */
  readonly dnsmasq: string | null;
  /** What keeps it from being made, for people. */
  readonly problem: string | null;
}

export interface OwnBridge {
  readonly alias: string;
  readonly mac: string;
  readonly mtu: number;
  /** With prefix lengths. */
  readonly addresses: readonly string[];
  readonly uplink: Uplink | null;
  /** Ports of the node's own loopback lead to its guests. */
  readonly carriesLoopback: boolean;
  /** It is a router between the bridge and the rest: of these families. */
  readonly forwards: readonly ("ipv4" | "ipv6")[];
}

export type Uplink =
  | { readonly kind: "vlan"; readonly name: string; readonly parent: string; readonly id: number }
  | {
      readonly kind: "vxlan";
      readonly name: string;
      readonly id: number;
      readonly port: number;
      readonly local: string;
      readonly dev: string;
      /** Sorted. */
      readonly peers: readonly string[];
    };

export interface Port {
  readonly tap: string;
  /** Of the tap: above every other, so that it never becomes the bridge's. */
  readonly mac: string;
  readonly isolated: boolean;
}

export interface Table {
  readonly family: "inet" | "bridge";
  readonly name: string;
  /** What is in its braces. */
  readonly body: string;
}

/** The address that a NIC's network gives it, as far as it is known here: declared, or leased. */
export interface NicAddresses {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}
