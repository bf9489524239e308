/**
 * What a node lacks for networks that odorobo makes, found before anything is begun: programs and permission when the agent starts, what its
 * kernel can do when a plan asks, by trying it in a network namespace that ends with the try.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { MadeNetwork } from "../../../model/vm-spec.ts";
import { isOnPath } from "../../../platform/is-on-path.ts";

export interface Lack {
  /** For people, with what to do. */
  readonly problem: string;
  /** Whether this network needs it. */
  readonly of: (made: MadeNetwork | null) => boolean;
}

/** <linux/capability.h> */
const CAP_NET_ADMIN = 1n << 12n;

export async function findLacks(): Promise<readonly Lack[]> {
  const lacks: Lack[] = [];
  const programs = [
    ["ip", "iproute2", () => true],
    ["bridge", "iproute2", (made: MadeNetwork | null) => made?.type === "vxlan"],
    ["nft", "nftables", () => true],
    ["dnsmasq", "dnsmasq-base", (made: MadeNetwork | null) => made?.dhcp === true],
  ] as const;
  for (const [program, debianPackage, of] of programs)
    if (!(await isOnPath(program)))
      lacks.push({ problem: `the program ${program} is not there (apt-get install ${debianPackage})`, of });
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (effective !== undefined && (BigInt(`0x${effective}`) & CAP_NET_ADMIN) === 0n)
    lacks.push({ problem: "its agent may not change networks (it has no CAP_NET_ADMIN)", of: () => true });
  return lacks;
}

const known = new Map<string, Promise<string | null>>();

/** In words, or null: nothing, or it cannot be tried here. Asked once in a process's life: kernels do not change. */
export async function missingInKernel({ type }: MadeNetwork): Promise<string | null> {
  const links: Readonly<Record<MadeNetwork["type"], readonly (readonly [string, readonly string[]])[]>> = {
    nat: [],
    routed: [],
    vlan: [["VLANs (modprobe 8021q)", ["link", "add", "link", "lo", "name", "odotry1", "type", "vlan", "id", "7"]]],
    vxlan: [
      ["VXLANs (modprobe vxlan)", ["link", "add", "name", "odotry1", "type", "vxlan", "id", "7", "dstport", "4789"]],
    ],
  };
  const tries = [
    ["bridges (modprobe bridge)", ["link", "add", "name", "odotry0", "type", "bridge"]] as const,
    ...links[type],
  ].map(([what, args]) => tryOnce(what, "ip", args, ""));
  for (const found of [...tries, tryOnce("these nftables rules (modprobe nf_tables)", "nft", ["-f", "-"], RULES)]) {
    const missing = await found;
    if (missing !== null) return missing;
  }
  return null;
}

/** All kinds of rules that `wanted/` writes. */
const RULES = `table inet odorobo-try {
 chain a { type nat hook postrouting priority srcnat; policy accept
  ip saddr 192.0.2.0/24 masquerade
 }
 chain b { type filter hook forward priority filter; policy accept
  ct state established,related accept
 }
}
table bridge odorobo-try {
 chain a { type filter hook prerouting priority -300; policy accept
  ether type arp arp saddr ip 192.0.2.1 accept
 }
}
`;

function tryOnce(what: string, program: string, args: readonly string[], input: string): Promise<string | null> {
  const before = known.get(what);
  if (before !== undefined) return before;
  const tried = tryInNamespace(what, program, args, input);
  known.set(what, tried);
  return tried;
}

function tryInNamespace(what: string, program: string, args: readonly string[], input: string): Promise<string | null> {
  return new Promise((resolve) => {
    const child = execFile("unshare", ["--net", program, ...args], { timeout: 10_000 }, (error, _stdout, stderr) => {
      // Where there is no namespace to be had nothing can be said.
      if (error === null || /unshare/.test(stderr) || typeof error.code !== "number") return resolve(null);
      resolve(`its kernel has no ${what}: ${stderr.trim().split("\n")[0] ?? ""}`);
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
