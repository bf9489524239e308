/**
 * One `<domain>` → a VM in the words of the manifests, with a note for each thing that they have no word for. Pure.
 *
 *   xml/element.ts → [read-domain.ts] → fleet-files.ts
 */
import { OdoroboError } from "../../model/errors.ts";
import type { FoundSpec, FoundVm } from "../found.ts";
import type { XmlElement } from "../xml/element.ts";
import { DomainReading } from "./domain-reading.ts";
import { tellLeftovers } from "./leftovers.ts";
import { readBoot } from "./read-boot.ts";
import { readCpus } from "./read-cpus.ts";
import { readDisks } from "./read-disks.ts";
import { readMemory } from "./read-memory.ts";
import { readNics } from "./read-nics.ts";

/** `bridges`: of libvirt's virtual networks, as far as they are known. Throws IMPORT_UNREADABLE for what is no guest of ours. */
export function readDomain(domain: XmlElement, file: string, bridges: ReadonlyMap<string, string>): FoundVm {
  const reading = new DomainReading(domain, bridges);
  const { xml } = reading;
  const type = xml.attribute(domain, "type") ?? "";
  const name = xml.text(domain, "name") ?? "";
  if (name === "") throw unreadable("the domain has no name", "give what virsh dumpxml says of a defined domain");
  // What is in them is told one by one.
  for (const group of ["features", "clock", "os", "cpu"]) {
    const element = xml.child(domain, group);
    if (element !== undefined) xml.take(element);
  }
  const hypervisor = hypervisorOf(reading, type, name);
  const memory = readMemory(reading);
  if (memory === null)
    throw unreadable(
      `the domain ${name} says no memory that can be read`,
      "give what virsh dumpxml says of a defined domain",
    );
  const cpus = readCpus(reading);
  const boot = readBoot(reading, hypervisor);
  const disks = readDisks(reading);
  if (disks.length === 0 && boot?.kernel === undefined)
    throw unreadable(
      `the domain ${name} has neither a disk nor a kernel to boot from`,
      "a guest that boots from a network has no equal here",
    );
  const { nics, networks } = readNics(reading);
  const spec: FoundSpec = {
    hypervisor,
    runStrategy: "Manual",
    cpus,
    memory,
    ...(boot === undefined ? {} : { boot }),
    ...(disks.length === 0 ? {} : { disks }),
    ...(nics.length === 0 ? {} : { nics }),
  };
  const annotations = annotationsOf(reading);
  const notes = [...reading.notes, ...tellLeftovers(xml.leftovers(domain))];
  notes.sort((a, b) => a.line - b.line || a.column - b.column);
  return { file, name, spec, annotations, networks, notes };
}

/** Who runs it there, and so here. */
function hypervisorOf({ xml, domain }: DomainReading, type: string, name: string): FoundSpec["hypervisor"] {
  const devices = xml.child(domain, "devices");
  const emulator = (devices && xml.text(devices, "emulator")) ?? "";
  const os = xml.child(domain, "os");
  const kernel = (os && xml.child(os, "kernel")?.text) ?? "";
  if (/cloud-hypervisor/.test(emulator) || type === "hyperv" || /(^|\/)hypervisor-fw$/.test(kernel))
    return "cloud-hypervisor";
  if (type === "kvm" || type === "qemu") return "qemu";
  throw unreadable(
    `the domain ${name} is of type ${type === "" ? "(none)" : type}, which odorobo does not run`,
    "kvm, qemu and Cloud Hypervisor's can be taken over",
  );
}

function annotationsOf({ xml, domain }: DomainReading): Record<string, string> {
  const uuid = xml.text(domain, "uuid");
  const title = xml.text(domain, "title");
  const description = xml.text(domain, "description");
  return {
    ...(uuid === undefined ? {} : { "libvirt-uuid": uuid }),
    ...(title ? { title } : {}),
    ...(description ? { description } : {}),
  };
}

const unreadable = (message: string, hint: string): OdoroboError =>
  new OdoroboError("IMPORT_UNREADABLE", message, { hint });
