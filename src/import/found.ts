/**
 * What an import finds, before it is written as manifests: a VM in the words of the manifests, with all that could not be said in them.
 *
 *   foreign text → libvirt/, … → [found.ts] → fleet-files.ts → a folder of YAML
 */
import type { Place } from "./xml/element.ts";

export interface FoundVm {
  /** The file that it was read from. */
  readonly file: string;
  /** As it is called there. */
  readonly name: string;
  /** `spec` of a VirtualMachine, as a person would write it. */
  readonly spec: FoundSpec;
  readonly annotations: Readonly<Record<string, string>>;
  /** Networks that its NICs name, by what they are called there. */
  readonly networks: ReadonlyMap<string, FoundNetwork>;
  readonly notes: readonly ImportNote[];
}

export interface FoundSpec {
  readonly hypervisor: "qemu" | "cloud-hypervisor";
  readonly runStrategy: "Manual";
  readonly cpus: number | { readonly count: number; readonly max: number };
  readonly memory: string | { readonly size: string; readonly max: string };
  readonly boot?: Readonly<Record<string, string>>;
  readonly disks?: readonly { readonly name: string; readonly source: string; readonly readonly?: true }[];
  readonly nics?: readonly { readonly name: string; readonly network: string; readonly mac?: string }[];
}

export type FoundNetwork = { readonly type: "user" | "none" } | { readonly type: "bridge"; readonly bridge: string };

export interface ImportNote extends Place {
  /**
   * `lost`: the guest had it and will not have it. `changed`: it will be otherwise. `check`: it was guessed.
   */
  readonly kind: "lost" | "changed" | "check";
  /** In the words of where it came from: `disk vda: cache='none'`. */
  readonly what: string;
  /** What that means for the guest, and what to do about it. */
  readonly says: string;
}

/** One file could not be read at all; the others go on. */
export interface ImportProblem extends Place {
  readonly file: string;
  readonly message: string;
  readonly hint: string;
}
