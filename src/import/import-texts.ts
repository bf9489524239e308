/**
 * Texts of elsewhere → VMs, networks and what could not be read. Pure. What kind of text it is, the text itself says.
 *
 *   turn/import-fleet.ts → [import-texts.ts] → libvirt/ → found.ts
 */
import { isOdoroboError } from "../model/errors.ts";
import type { FoundVm, ImportProblem } from "./found.ts";
import { readDomain } from "./libvirt/read-domain.ts";
import { readNetwork } from "./libvirt/read-networks.ts";
import { parseXml, type XmlElement } from "./xml/element.ts";

export interface ForeignText {
  readonly path: string;
  readonly text: string;
}

export interface Imported {
  /** In the order of the texts. */
  readonly vms: readonly FoundVm[];
  readonly problems: readonly ImportProblem[];
}

/** `bridges`: what a person says of libvirt's networks, over what the texts say. */
export function importTexts(texts: readonly ForeignText[], bridges: ReadonlyMap<string, string>): Imported {
  const problems: ImportProblem[] = [];
  const domains: { readonly file: string; readonly element: XmlElement }[] = [];
  const known = new Map<string, string>();
  for (const { path: file, text } of texts) {
    const parsed = parseXml(text);
    if ("message" in parsed) {
      const { message, ...place } = parsed;
      problems.push({ file, ...place, message: `it is not XML: ${message}`, hint: WANTED });
      continue;
    }
    if (parsed.length === 0) problems.push({ file, line: 1, column: 1, message: "it is empty", hint: WANTED });
    for (const element of parsed.flatMap(unwrapped)) {
      if (element.name === "domain") domains.push({ file, element });
      else if (element.name === "network") {
        const network = readNetwork(element);
        if (network !== null) known.set(network.name, network.bridge);
      } else {
        const { line, column } = element;
        problems.push({ file, line, column, message: `it describes a ${element.name}, not a domain`, hint: WANTED });
      }
    }
  }
  const all = new Map([...known, ...bridges]);
  const vms = domains.flatMap(({ file, element }): FoundVm[] => {
    try {
      return [readDomain(element, file, all)];
    } catch (error) {
      if (!isOdoroboError(error, "IMPORT_UNREADABLE")) throw error;
      const { line, column } = element;
      problems.push({ file, line, column, message: error.message, hint: error.hint ?? WANTED });
      return [];
    }
  });
  return { vms, problems };
}

const WANTED = "give what virsh dumpxml and virsh net-dumpxml print, one file each or several in one";

/** Of what libvirt writes down of a running domain, and of lists, the domains alone. */
function unwrapped(element: XmlElement): readonly XmlElement[] {
  if (element.name !== "domstatus" && element.name !== "domains") return [element];
  return element.children.filter(({ name }) => name === "domain");
}
