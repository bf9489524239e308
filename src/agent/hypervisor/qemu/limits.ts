/** What one guest may have at most on this host's QEMU: CPUs as its machine says, memory as the addresses of the (emulated) CPU reach. */
import { readFile } from "node:fs/promises";
import type { Accelerator } from "./host.ts";

/** Without the kernel's interrupt controller, which only KVM has, there are 8 bits for the number of a CPU, and one is taken. */
const CPUS_WITHOUT_KVM = 255;

/** What `-cpu max` reaches when it is emulated (TCG_PHYS_ADDR_BITS). */
const EMULATED_ADDRESS_BITS = 40;

/**
 * Below the last address QEMU wants, in GiB, beside memory: 32 for the slots of `-m slots=32` (1 each, for alignment), 32 for 64-bit PCI devices,
 * and 4 for what lies below them. Tried with 7.2: of 1024 GiB of addresses a guest can have 956 and not 960.
 */
const TAKEN_GIB = 68;

export async function toLimits(
  machineCpus: number | null,
  accelerator: Accelerator,
): Promise<{ readonly cpus?: number; readonly memoryMiB?: number }> {
  const bits = accelerator === "kvm" ? await hostAddressBits() : EMULATED_ADDRESS_BITS;
  const cpus = accelerator === "kvm" ? machineCpus : Math.min(machineCpus ?? CPUS_WITHOUT_KVM, CPUS_WITHOUT_KVM);
  return {
    ...(cpus === null ? {} : { cpus }),
    ...(bits === null ? {} : { memoryMiB: (2 ** (bits - 30) - TAKEN_GIB) * 1024 }),
  };
}

/** `address sizes : 46 bits physical, 48 bits virtual`: a guest on KVM has as many. */
async function hostAddressBits(): Promise<number | null> {
  const text = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const bits = /^address sizes\s*:\s*(\d+) bits physical/m.exec(text)?.[1];
  return bits === undefined ? null : Number(bits);
}
