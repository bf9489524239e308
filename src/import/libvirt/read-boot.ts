/** `<os>` → what the guest starts from. */
import type { FoundSpec } from "../found.ts";
import type { DomainReading } from "./domain-reading.ts";

/** The name by which libvirt's driver for Cloud Hypervisor is given firmware instead of a kernel. */
const FIRMWARE_AS_KERNEL = /(^|\/)(hypervisor-fw|CLOUDHV(_EFI)?\.fd)$/;

/** Undefined: the firmware that the agent has for the hypervisor. */
export function readBoot(reading: DomainReading, hypervisor: FoundSpec["hypervisor"]): FoundSpec["boot"] {
  const { xml, domain } = reading;
  const os = xml.child(domain, "os");
  if (os === undefined) return undefined;
  xml.take(os);
  const firmware = xml.attribute(os, "firmware");
  const type = xml.child(os, "type");
  // What machine it is follows from the hypervisor that runs it, and is pinned at the VM's creation.
  if (type !== undefined) xml.takeWhole(type);
  const machine = type?.attributes.machine ?? "";
  if (hypervisor === "qemu" && /^(pc|pc-i440fx.*)$/.test(machine))
    reading.note(
      "changed",
      os,
      `machine ${machine}`,
      "it becomes a q35: the guest finds its disks and NICs at other addresses",
    );
  const kernel = xml.text(os, "kernel");
  const initramfs = xml.text(os, "initrd");
  const cmdline = xml.text(os, "cmdline");
  if (kernel !== undefined && !FIRMWARE_AS_KERNEL.test(kernel))
    return {
      kernel,
      ...(initramfs === undefined ? {} : { initramfs }),
      ...(cmdline === undefined ? {} : { cmdline }),
    };
  if (kernel !== undefined) return kernel.startsWith("/") ? { firmware: kernel } : undefined;
  readBootOrder(reading);
  return readLoader(reading, firmware, hypervisor);
}

function readLoader(reading: DomainReading, firmware: string | undefined, hypervisor: FoundSpec["hypervisor"]) {
  const { xml, domain } = reading;
  const os = xml.child(domain, "os");
  if (os === undefined) return undefined;
  const chosen = xml.child(os, "firmware");
  if (chosen !== undefined) xml.takeWhole(chosen);
  const loader = xml.child(os, "loader");
  const path = loader?.text ?? "";
  if (loader !== undefined) {
    if (xml.attribute(loader, "secure") === "yes")
      reading.note("lost", loader, "loader: secure='yes'", "secure boot is off");
    xml.takeWhole(loader);
  }
  const nvram = xml.child(os, "nvram");
  if (nvram !== undefined) {
    xml.takeWhole(nvram);
    reading.note(
      "lost",
      nvram,
      "nvram",
      "what was kept in it (boot entries) is not used: firmware starts the disk's default entry",
    );
  }
  if (hypervisor === "cloud-hypervisor") return path.startsWith("/") ? { firmware: path } : undefined;
  if (firmware === "efi" || /OVMF|AAVMF|edk2/i.test(path)) return { firmware: "uefi" };
  return path.startsWith("/") && !/bios/i.test(path) ? { firmware: path } : undefined;
}

function readBootOrder(reading: DomainReading): void {
  const { xml, domain } = reading;
  const os = xml.child(domain, "os");
  if (os === undefined) return;
  const devices = xml.all(os, "boot").map((boot) => xml.attribute(boot, "dev"));
  const first = xml.all(os, "boot")[0];
  if (first !== undefined && devices[0] !== "hd")
    reading.note("changed", first, `boot: dev='${devices[0]}'`, "firmware boots the first disk");
  for (const name of ["bootmenu", "bios", "smbios"]) {
    const element = xml.child(os, name);
    if (element !== undefined) xml.takeWhole(element);
  }
}
