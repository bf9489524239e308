/** A domain while it is read: its tree, what was taken of it, and the notes so far. Lives for one domain. */
import type { ImportNote } from "../found.ts";
import type { XmlElement } from "../xml/element.ts";
import { XmlReader } from "../xml/reader.ts";

export class DomainReading {
  readonly xml = new XmlReader();
  readonly domain: XmlElement;
  readonly notes: ImportNote[] = [];
  /** libvirt's virtual networks → bridges, as far as somebody said so. */
  readonly bridges: ReadonlyMap<string, string>;

  constructor(domain: XmlElement, bridges: ReadonlyMap<string, string>) {
    this.domain = domain;
    this.bridges = bridges;
    this.xml.take(domain);
  }

  /** `devices/disk` and the like. */
  devices(name: string): readonly XmlElement[] {
    const devices = this.xml.child(this.domain, "devices");
    if (devices === undefined) return [];
    this.xml.take(devices);
    return this.xml.all(devices, name);
  }

  note(kind: ImportNote["kind"], at: XmlElement, what: string, says: string): void {
    this.notes.push({ kind, line: at.line, column: at.column, what, says });
  }
}
