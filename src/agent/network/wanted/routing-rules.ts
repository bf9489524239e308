/** What the node does with packets between a network of its guests and the rest, in nftables' own words. Pure. */

export interface GuestForward {
  readonly protocol: "tcp" | "udp";
  /** Of the node: `0.0.0.0` is all of them. */
  readonly host: string;
  readonly hostPort: number;
  /** The guest's. */
  readonly address: string;
  readonly guestPort: number;
}

export interface Routing {
  readonly bridge: string;
  readonly subnets: readonly string[];
  /** Leaves under the node's own address, and nobody comes in who was not asked or forwarded. */
  readonly translates: boolean;
  readonly forwards: readonly GuestForward[];
}

export function routingRules({ bridge, subnets, translates, forwards }: Routing): string {
  const br = `"${bridge}"`;
  const family = (subnet: string) => (subnet.includes(":") ? "ip6" : "ip");
  const chain = (name: string, rules: readonly string[]) =>
    [` chain ${name} {`, ...rules.map((rule) => `  ${rule}`), " }"].join("\n");
  const dnat = ({ protocol, host, hostPort, address, guestPort }: GuestForward) =>
    `${host === ANY ? "fib daddr type local" : `ip daddr ${host}`} ${protocol} dport ${hostPort} dnat ip to ${address}:${guestPort}`;
  return [
    ...(translates
      ? [
          chain("leave", [
            "type nat hook postrouting priority srcnat; policy accept;",
            // Also where bridged packets come by (br_netfilter): those between guests are none of this.
            ...subnets.map(
              (subnet) =>
                `oifname != ${br} ${family(subnet)} saddr ${subnet} ${family(subnet)} daddr != ${subnet} masquerade`,
            ),
            // To a neighbour by the node's port, and from the node's own loopback: it must answer the node.
            ...(forwards.length === 0
              ? []
              : [
                  `oifname ${br} iifname ${br} ct status dnat masquerade`,
                  `oifname ${br} ip saddr 127.0.0.0/8 masquerade`,
                ]),
          ]),
        ]
      : []),
    ...(forwards.length === 0
      ? []
      : [
          // The bridge may carry loopback addresses for this: no guest does.
          chain("loopback", [
            "type filter hook prerouting priority raw; policy accept;",
            `iifname ${br} ip daddr 127.0.0.0/8 drop`,
            `iifname ${br} ip saddr 127.0.0.0/8 drop`,
          ]),
          chain("arrive", [
            "type nat hook prerouting priority dstnat; policy accept;",
            ...forwards.filter(({ host }) => !isLoopback(host)).map(dnat),
          ]),
          chain("here", ["type nat hook output priority -100; policy accept;", ...forwards.map(dnat)]),
        ]),
    chain("pass", [
      "type filter hook forward priority filter; policy accept;",
      `iifname ${br} oifname ${br} accept`,
      ...subnets.map((subnet) => `iifname ${br} ${family(subnet)} saddr ${subnet} accept`),
      // No guest lends its way out to others.
      `iifname ${br} drop`,
      ...(translates
        ? [
            `oifname ${br} ct state established,related accept`,
            `oifname ${br} ct status dnat accept`,
            `oifname ${br} drop`,
          ]
        : []),
    ]),
  ].join("\n");
}

const ANY = "0.0.0.0";

const isLoopback = (host: string): boolean => host.startsWith("127.");
