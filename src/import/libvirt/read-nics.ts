/** `<interface>` → NICs, and the networks they are on. */
import type { FoundNetwork, FoundSpec } from "../found.ts";
import type { XmlElement } from "../xml/element.ts";
import type { DomainReading } from "./domain-reading.ts";

type FoundNic = NonNullable<FoundSpec["nics"]>[number];

export interface FoundNics {
  readonly nics: readonly FoundNic[];
  /** By what they are called there; names of manifests come later. */
  readonly networks: ReadonlyMap<string, FoundNetwork>;
}

/** The bridge that libvirt makes for the network it comes with. */
const DEFAULT_NETWORK = { name: "default", bridge: "virbr0" };

export function readNics(reading: DomainReading): FoundNics {
  const networks = new Map<string, FoundNetwork>();
  const nics = reading.devices("interface").map((element, index): FoundNic => {
    const { network, name } = readPeer(reading, element, index);
    networks.set(name, network);
    const mac = reading.xml.attribute(reading.xml.child(element, "mac"), "address")?.toLowerCase();
    readRest(reading, element, index);
    return { name: `net${index}`, network: name, ...(mac === undefined ? {} : { mac }) };
  });
  return { nics, networks };
}

function readPeer(reading: DomainReading, element: XmlElement, index: number): { name: string; network: FoundNetwork } {
  const { xml } = reading;
  const type = xml.attribute(element, "type") ?? "";
  const source = xml.child(element, "source");
  if (type === "bridge") {
    const bridge = xml.attribute(source, "bridge") ?? "";
    if (bridge !== "") return { name: bridge, network: { type: "bridge", bridge } };
  }
  if (type === "network") return readVirtualNetwork(reading, element, source);
  if (type === "user") return { name: "user", network: { type: "user" } };
  if (source !== undefined) xml.takeWhole(source);
  const says = "it is plugged into nothing here: put it on a Network of type bridge, or leave the NIC out";
  reading.note("check", element, `interface net${index}: type='${type}'`, says);
  return { name: "unplugged", network: { type: "none" } };
}

function readVirtualNetwork(reading: DomainReading, element: XmlElement, source: XmlElement | undefined) {
  const { xml, bridges } = reading;
  const name = xml.attribute(source, "network") ?? "";
  for (const live of ["portid", "bridge", "portgroup"]) xml.attribute(source, live);
  const known = bridges.get(name);
  if (known !== undefined) return { name, network: { type: "bridge" as const, bridge: known } };
  // A running domain says which bridge it is on.
  const live = source?.attributes.bridge;
  if (live !== undefined && live !== "") return { name, network: { type: "bridge" as const, bridge: live } };
  if (name === DEFAULT_NETWORK.name) {
    const { bridge } = DEFAULT_NETWORK;
    const says = `libvirt's own network usually is the bridge ${bridge}, and libvirt has to go on running it; virsh net-dumpxml ${name} says for sure`;
    reading.note("check", element, `network '${name}'`, says);
    return { name: "libvirt-default", network: { type: "bridge" as const, bridge } };
  }
  const says =
    "which bridge that is stands in virsh net-dumpxml: give that file, too, or --bridge NETWORK=BRIDGE. Until then its NICs are plugged into nothing";
  reading.note("check", element, `network '${name}'`, says);
  return { name: name === "" ? "unplugged" : name, network: { type: "none" as const } };
}

function readRest(reading: DomainReading, element: XmlElement, index: number): void {
  const { xml } = reading;
  const label = `interface net${index}`;
  const model = xml.attribute(xml.child(element, "model"), "type");
  if (model !== undefined && model !== "virtio")
    reading.note(
      "changed",
      element,
      `${label}: model ${model}`,
      "the guest sees a virtio NIC, and may call it by another name",
    );
  const target = xml.child(element, "target");
  // The tap's name is made anew at each start.
  if (target !== undefined) xml.takeWhole(target);
  const link = xml.child(element, "link");
  if (link === undefined) return;
  const state = xml.attribute(link, "state");
  if (state === "down") reading.note("changed", link, `${label}: link down`, "its link is up");
}
