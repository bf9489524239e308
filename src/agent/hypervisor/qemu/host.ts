/** What this host's QEMU is and has: found once by `probe.ts`, an input of `compile.ts` ever after. */

/** `kvm`: guests run on the CPU. `tcg`: they are emulated, on any machine and many times slower. */
export type Accelerator = "kvm" | "tcg";

export interface QemuHost {
  /** A path, or a name on the PATH. */
  readonly executable: string;
  readonly version: string;
  readonly accelerator: Accelerator;
  /** What `q35` stands for in this version: `pc-q35-7.2`. */
  readonly machine: string;
  /** All the versions of it that are here; empty: QEMU does not say. */
  readonly machines: readonly string[];
  /** QEMU was built with seccomp and this kernel lets it filter its own system calls. */
  readonly sandbox: boolean;
  /** /dev/vhost-net can be opened at this moment: taps are served by the kernel, not by the QEMU process. */
  readonly vhostNet: boolean;
  /** A UEFI flash image of this host (OVMF), or null. */
  readonly uefiFirmware: string | null;
  /** Network block drivers that this QEMU can load. nbd is always there. */
  readonly blockDrivers: readonly ("rbd" | "iscsi")[];
  /** The most that one guest may have here; see `limits.ts`. */
  readonly limits: { readonly cpus?: number; readonly memoryMiB?: number };
  /** The guest behind `builtin:tiny`. */
  readonly tinyGuest: string;
}
