/** Whether guests run on the processor itself. */
import { type Check, fail, ok, unknown, wants, warn } from "../examination.ts";

const DEVICE = "/dev/kvm";

export const checkKvm: Check = async ({ host, settings }) => {
  // Cloud Hypervisor runs nothing without it; QEMU emulates.
  const isNeeded = wants(settings, "cloud-hypervisor");
  const missing = isNeeded ? fail : warn;
  const without = isNeeded ? "Cloud Hypervisor starts no guest" : "QEMU emulates its guests, many times slower";
  const isWritable = await host.isWritable(DEVICE);
  switch (isWritable.kind) {
    case "absent":
      return [
        missing(
          "kvm",
          `there is no ${DEVICE}: ${without}`,
          "switch virtualization on in the firmware (or nested virtualization on the host of this host), then: modprobe kvm_intel, or kvm_amd",
        ),
      ];
    case "unseen":
      return [unknown("kvm", `${DEVICE} could not be looked at: ${isWritable.why}`)];
    case "seen":
      if (!isWritable.value)
        return [
          missing(
            "kvm",
            `${DEVICE} is there, and this user may not open it: ${without}`,
            "add the user to the group kvm",
          ),
        ];
      return [ok("kvm", `${DEVICE} is there and may be opened`), whetherItWorks(settings.known?.accelerator ?? null)];
  }
};

/** The device may be there and refuse to run anything: only a guest that ran says. */
function whetherItWorks(accelerator: "kvm" | "tcg" | null) {
  switch (accelerator) {
    case "kvm":
      return ok("kvm.works", "QEMU has run code with it");
    case "tcg":
      return warn(
        "kvm.works",
        "QEMU could not use it and emulates its guests, many times slower",
        "what it said is in the agent's log; --accelerator kvm makes it an error",
      );
    case null:
      return unknown(
        "kvm.works",
        "nothing was run with it, so nobody knows",
        "boot a guest, or offer QEMU too: its driver tries",
      );
  }
}
