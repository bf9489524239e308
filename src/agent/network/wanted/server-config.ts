/** The configuration of the server that hands out a network's addresses and answers for its names: dnsmasq's own words. Pure. */
import { formatIp, parseSubnet, sizeOf } from "../../../model/identity/subnet.ts";
import type { MadeNetwork, NicConfig } from "../../../model/vm-spec.ts";
import type { NicAddresses } from "./wanted-network.ts";

export interface ServedNic {
  readonly vm: string;
  readonly mac: string;
  readonly addresses: NicAddresses;
}

export interface Served {
  readonly bridge: string;
  readonly made: MadeNetwork;
  readonly config: NicConfig;
  readonly mtu: number;
  readonly nics: readonly ServedNic[];
  /** Of VMs on other nodes: name → address. */
  readonly far: Readonly<Record<string, string>>;
  /** Whom the node asks, where the network says nothing. */
  readonly resolvers: readonly string[];
}

/** Half of it passes before a guest asks again: how late it hears of something new at most. */
const LEASE = "1h";

export function serverConfig({ bridge, made, config, mtu, nics, far, resolvers }: Served): string {
  const { subnet, gateway, subnet6, ipv6, domain = "internal" } = made;
  const own = subnet === undefined ? null : parseSubnet(subnet);
  const lines = [
    // Nothing of the node's own: neither its configuration nor its hosts, names or leases.
    ...[
      "no-resolv",
      "no-hosts",
      "no-poll",
      "leasefile-ro",
      "bind-dynamic",
      `interface=${bridge}`,
      "except-interface=lo",
    ],
    ...["dhcp-authoritative", "no-ping", "dhcp-ignore-names", "domain-needed", "bogus-priv"],
    ...[`domain=${domain}`, `local=/${domain}/`],
  ];
  for (const server of made.dns ?? resolvers) lines.push(`server=${server}`);
  if (own !== null) {
    const mask = formatIp({ bits: 32, value: 2n ** 32n - sizeOf(own) });
    // Only those below: who is not named gets nothing.
    lines.push(`dhcp-range=${formatIp(own)},static,${mask},${LEASE}`);
    const routes = config.routes ?? [];
    lines.push(
      `dhcp-option=option:router${config.gateway === undefined ? "" : `,${config.gateway}`}`,
      `dhcp-option=option:dns-server,${(config.dns ?? []).filter((each) => !each.includes(":")).join(",") || gateway}`,
      `dhcp-option=option:mtu,${mtu}`,
    );
    // Who takes these looks at no other route (RFC 3442).
    if (routes.length > 0)
      lines.push(
        `dhcp-option=option:classless-static-route,${[...(config.gateway === undefined ? [] : [{ to: "0.0.0.0/0", via: config.gateway }]), ...routes].map(({ to, via }) => `${to},${via}`).join(",")}`,
      );
  }
  if (subnet6 !== undefined) {
    lines.push("enable-ra", `ra-param=${bridge},mtu:${mtu},0,1800`);
    lines.push(`dhcp-range=::,constructor:${bridge},${ipv6 === "dhcp" ? "static" : "ra-stateless"},64,${LEASE}`);
  }
  const named = new Set<string>();
  for (const { vm, mac, addresses } of nics) {
    const { ipv4, ipv6: address6 } = addresses;
    // A VM with two NICs here is known by the first.
    const isFirst = !named.has(vm);
    named.add(vm);
    const given = [ipv4, address6 === null || ipv6 !== "dhcp" ? null : `[${address6}]`].filter((each) => each !== null);
    if (given.length > 0) lines.push(`dhcp-host=${[mac, ...given, ...(isFirst ? [vm] : []), LEASE].join(",")}`);
    const known = [ipv4, address6].filter((each) => each !== null);
    if (isFirst && known.length > 0) lines.push(`host-record=${vm}.${domain},${vm},${known.join(",")}`);
  }
  for (const [vm, address] of Object.entries(far))
    if (!named.has(vm)) lines.push(`host-record=${vm}.${domain},${vm},${address}`);
  return `${lines.join("\n")}\n`;
}
