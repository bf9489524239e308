/** `<memory>`, `<currentMemory>`, NUMA cells and DIMMs → what the guest has, and may have. */
import type { FoundSpec } from "../found.ts";
import type { XmlElement } from "../xml/element.ts";
import type { DomainReading } from "./domain-reading.ts";
import { parseLibvirtSize, showSize, toMiB } from "./size.ts";

/** Null: the domain says no memory that could be understood. */
export function readMemory(reading: DomainReading): FoundSpec["memory"] | null {
  const { xml, domain } = reading;
  const memory = sizeOf(reading, xml.child(domain, "memory"));
  const cells = numaCells(reading);
  const dimms = reading.devices("memory").map((dimm) => dimmOf(reading, dimm));
  const sum = (sizes: readonly (number | null)[]) => sizes.reduce<number>((all, size) => all + (size ?? 0), 0);
  // Cells overrule <memory>; DIMMs are in it once libvirt has defined the domain, and come on top of cells (libvirt 9.0.0).
  const total = cells.length > 0 ? sum(cells) + sum(dimms) : memory;
  if (total === null || total === 0) return null;
  const currentElement = xml.child(domain, "currentMemory");
  const current = Math.min(sizeOf(reading, currentElement) ?? total, total);
  const [size, max] = [toMiB(current), toMiB(total)];
  if (currentElement !== undefined && size < max)
    reading.note(
      "changed",
      currentElement,
      `currentMemory: ${showSize(size)} of ${showSize(max)}`,
      "a balloon held it there; here the guest begins with that much, and has room for the rest",
    );
  return size === max ? showSize(size) : { size: showSize(size), max: showSize(max) };
}

function sizeOf({ xml }: DomainReading, element: XmlElement | undefined): number | null {
  if (element === undefined) return null;
  const unit = xml.attribute(element, "unit");
  return parseLibvirtSize(element.text, unit);
}

function numaCells(reading: DomainReading): (number | null)[] {
  const { xml, domain } = reading;
  const cpu = xml.child(domain, "cpu");
  const numa = cpu && xml.child(cpu, "numa");
  if (numa === undefined) return [];
  const cells = xml.all(numa, "cell");
  const sizes = cells.map((cell) => parseLibvirtSize(xml.attribute(cell, "memory") ?? "", xml.attribute(cell, "unit")));
  xml.takeWhole(numa);
  if (cells.length > 1)
    reading.note("lost", numa, `${cells.length} NUMA cells`, "the guest sees one; its memory is their sum");
  return sizes;
}

function dimmOf(reading: DomainReading, dimm: XmlElement): number | null {
  const { xml } = reading;
  const target = xml.child(dimm, "target");
  const size = target && xml.child(target, "size");
  const bytes = size === undefined ? null : parseLibvirtSize(size.text, xml.attribute(size, "unit"));
  const model = dimm.attributes.model ?? "dimm";
  xml.takeWhole(dimm);
  if (model === "dimm") return bytes;
  reading.note("lost", dimm, `a memory device of model ${model}`, "what is kept in it is not there any more");
  return null;
}
