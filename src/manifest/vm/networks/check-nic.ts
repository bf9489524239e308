/** What a NIC says that its Network does not go along with. */
import type { NicManifest } from "../../../model/documents.ts";
import { formatSubnet, parseIp, parseSubnet } from "../../../model/identity/subnet.ts";
import type { ReportField } from "../../text/source-document.ts";
import { type Catalog, DEFAULT_NETWORK } from "../catalog.ts";
import { gatewayOf, servesGuests } from "./build-networks.ts";
import { checkFirewallRule, isHostOf } from "./check-networks.ts";

export function checkNic(nic: NicManifest, catalog: Catalog, report: ReportField): void {
  const name = nic.network ?? DEFAULT_NETWORK;
  const spec = catalog.get("Network", name)?.content.spec;
  const type = spec?.type ?? "user";
  const at = ["nics", nic.name];
  if (type === "user" || type === "none")
    for (const field of ["gateway", "dns", "firewall"] as const)
      if (nic[field])
        report([...at, field], {
          code: "no-effect",
          message: `${field} has no effect: network ${name} is of type ${type}`,
          hint: "put the NIC on a network of another type, or leave it out",
        });
  for (const [index, rule] of (nic.firewall?.allow ?? []).entries())
    checkFirewallRule(rule, [...at, "firewall", "allow", index], report);
  if (spec === undefined || !servesGuests(type)) return;
  const isV6 = nic.address?.includes(":") === true;
  const subnet = parseSubnet((isV6 ? spec.subnet6 : spec.subnet) ?? "");
  const [address = "", prefix = ""] = nic.address?.split("/") ?? [];
  if (nic.address && subnet === null)
    report([...at, "address"], {
      code: "conflicting-fields",
      message: `network ${name} has no ${isV6 ? "subnet6" : "subnet"}`,
      hint: "its addresses must come from somewhere: give the network one",
    });
  else if (nic.address && subnet !== null && parseIp(address) !== null) {
    if (!isHostOf(subnet, address) || Number(prefix) !== subnet.prefix)
      report([...at, "address"], {
        code: "bad-value",
        message: `${nic.address} is no address of network ${name}, which is ${formatSubnet(subnet)}`,
        hint: `one of its hosts, with the prefix length ${subnet.prefix}`,
      });
    else if (address === gatewayOf(spec))
      report([...at, "address"], {
        code: "duplicate-address",
        message: `${address} is the gateway of network ${name}`,
        hint: "give the NIC another one, or the network another gateway",
      });
  } else if (!nic.address && type === "vxlan" && spec.subnet && spec.dhcp !== false)
    report([...at], {
      code: "missing-field",
      message: `NIC ${nic.name} has no address, and each node of network ${name} would give it another`,
      hint: `add address: one of ${spec.subnet}; it has it by DHCP and keeps it when it moves`,
    });
}
