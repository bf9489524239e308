/** `<vcpu>` and `<cpu>` → virtual CPUs. */
import type { FoundSpec } from "../found.ts";
import type { DomainReading } from "./domain-reading.ts";

export function readCpus(reading: DomainReading): FoundSpec["cpus"] {
  const { xml, domain } = reading;
  const vcpu = xml.child(domain, "vcpu");
  const text = xml.text(domain, "vcpu") ?? "1";
  const max = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 1;
  const current = xml.attribute(vcpu, "current");
  const count = current !== undefined && /^[1-9]\d{0,4}$/.test(current) ? Math.min(Number(current), max) : max;
  const placement = xml.attribute(vcpu, "placement");
  if (vcpu !== undefined && placement === "auto")
    reading.note("lost", vcpu, "vcpu: placement='auto'", "no CPUs of the host are set aside for it");
  const list = xml.child(domain, "vcpus");
  // The same again, one by one.
  if (list !== undefined) xml.takeWhole(list);
  readModel(reading);
  return count === max ? max : { count, max };
}

/** Each guest sees the host's own model, as `host-passthrough` does. */
function readModel(reading: DomainReading): void {
  const { xml, domain } = reading;
  const cpu = xml.child(domain, "cpu");
  if (cpu === undefined) return;
  const mode = xml.attribute(cpu, "mode") ?? "custom";
  for (const harmless of ["match", "check", "migratable"]) xml.attribute(cpu, harmless);
  const topology = xml.child(cpu, "topology");
  if (topology !== undefined) {
    const counts = ["sockets", "dies", "clusters", "cores", "threads"].map((name) => xml.attribute(topology, name));
    if (counts.slice(1).some((count) => count !== undefined && count !== "1"))
      reading.note("changed", topology, "cpu: topology", "the guest sees sockets of one core each");
  }
  const model = xml.child(cpu, "model");
  const name = model?.text ?? "";
  if (model !== undefined) xml.takeWhole(model);
  if (mode === "custom" && name !== "" && name !== "qemu64" && name !== "kvm64")
    reading.note(
      "changed",
      cpu,
      `cpu: model ${name}`,
      "the guest sees the host's own CPU, and may want a reboot for it",
    );
}
