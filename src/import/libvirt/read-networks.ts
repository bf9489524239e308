/** `<network>`, as `virsh net-dumpxml` gives it → its bridge. */
import type { XmlElement } from "../xml/element.ts";

/** Null: it has no bridge of the host. */
export function readNetwork(network: XmlElement): { readonly name: string; readonly bridge: string } | null {
  const text = (name: string) => network.children.find((each) => each.name === name);
  const name = text("name")?.text ?? "";
  const bridge = text("bridge")?.attributes.name ?? "";
  return name === "" || bridge === "" ? null : { name, bridge };
}
