/** What stands on the node: links, addresses, rules, as its own programs tell it. Changes nothing. */
import { readFile } from "node:fs/promises";
import type { WantedNetwork } from "../wanted/wanted-network.ts";
import { PREFIXES } from "../wanted/wanted-networks.ts";
import type { Run } from "./run.ts";

export interface Link {
  readonly name: string;
  /** `bridge`, `vxlan`, `vlan`, `tun`; null: something of hardware. */
  readonly kind: string | null;
  readonly mac: string;
  readonly mtu: number;
  readonly isUp: boolean;
  readonly master: string | null;
  readonly alias: string;
  readonly isolated: boolean;
  /** Of a VLAN: its card. */
  readonly parent: string | null;
  readonly data: Readonly<Record<string, unknown>>;
  /** With prefix lengths; not those that a link gives itself. */
  readonly addresses: readonly string[];
}

export interface Standing {
  readonly links: ReadonlyMap<string, Link>;
  /** Where a vxlan sends what it knows no place for: by its name. */
  readonly floods: ReadonlyMap<string, readonly string[]>;
  /** `bridge odorobo-…` → its listing; null: not asked for. */
  readonly tables: ReadonlyMap<string, string | null>;
  /** Subnets that it has a way to, and by which link. */
  readonly routes: readonly { readonly to: string; readonly dev: string }[];
  /** Bridges that carry loopback addresses. */
  readonly loopback: ReadonlySet<string>;
  readonly forwards: Readonly<Record<"ipv4" | "ipv6", boolean>>;
}

interface IpLink {
  readonly ifname: string;
  readonly link?: string;
  readonly flags?: readonly string[];
  readonly mtu: number;
  readonly master?: string;
  readonly address?: string;
  readonly ifalias?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: Readonly<Record<string, unknown>>;
    readonly info_slave_data?: { readonly isolated?: boolean };
  };
  readonly addr_info?: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[];
}

export const FORWARDING = {
  ipv4: "/proc/sys/net/ipv4/ip_forward",
  ipv6: "/proc/sys/net/ipv6/conf/all/forwarding",
} as const;

export type Links = Standing["links"];

export async function readLinks(run: Run, signal: AbortSignal): Promise<Links> {
  const links = parse(await run({ program: "ip", args: ["-j", "-d", "addr", "show"] }, signal)) as IpLink[];
  return new Map(links.map((each) => [each.ifname, toLink(each)]));
}

export const loopbackSetting = (bridge: string): string => `/proc/sys/net/ipv4/conf/${bridge}/route_localnet`;

/** `wanted`: whose rules and ways between nodes are looked at. */
export async function readStanding(
  run: Run,
  links: Links,
  wanted: readonly WantedNetwork[],
  signal: AbortSignal,
): Promise<Standing> {
  const ip = async (...args: string[]) => parse(await run({ program: "ip", args: ["-j", ...args] }, signal));
  const routes = [...(await ip("route", "show")), ...(await ip("-6", "route", "show"))] as {
    dst: string;
    dev?: string;
  }[];
  const floods = new Map<string, readonly string[]>();
  for (const { own } of wanted) {
    const name = own?.uplink?.kind === "vxlan" ? own.uplink.name : null;
    if (name !== null && links.get(name)?.kind === "vxlan") floods.set(name, await readFloods(run, name, signal));
  }
  const loopback = new Set<string>();
  for (const { bridge, own } of wanted)
    if (own?.carriesLoopback && (await isOn(loopbackSetting(bridge)))) loopback.add(bridge);
  return {
    links,
    floods,
    loopback,
    tables: await readTables(run, wanted, signal),
    routes: routes.flatMap(({ dst, dev }) => (dev === undefined || dst === "default" ? [] : [{ to: dst, dev }])),
    forwards: { ipv4: await isOn(FORWARDING.ipv4), ipv6: await isOn(FORWARDING.ipv6) },
  };
}

const parse = (text: string): unknown[] => (text.trim() === "" ? [] : (JSON.parse(text) as unknown[]));

const toLink = ({
  ifname,
  link,
  flags = [],
  mtu,
  master,
  address,
  ifalias,
  linkinfo,
  addr_info = [],
}: IpLink): Link => ({
  ...{ name: ifname, kind: linkinfo?.info_kind ?? null, mac: address ?? "", mtu, isUp: flags.includes("UP") },
  ...{ master: master ?? null, alias: ifalias ?? "", isolated: linkinfo?.info_slave_data?.isolated === true },
  ...{ parent: link ?? null, data: linkinfo?.info_data ?? {} },
  addresses: addr_info.flatMap(({ local, prefixlen, scope }) => (scope === "link" ? [] : [`${local}/${prefixlen}`])),
});

async function readFloods(run: Run, name: string, signal: AbortSignal): Promise<readonly string[]> {
  const entries = parse(await run({ program: "bridge", args: ["-j", "fdb", "show", "dev", name] }, signal));
  return (entries as { mac: string; dst?: string }[]).flatMap(({ mac, dst }) =>
    mac === "00:00:00:00:00:00" && dst !== undefined ? [dst] : [],
  );
}

/** As text: in JSON comments and some sets get lost. Without what comes and goes by itself: counters, what sets have learnt. */
async function readTables(
  run: Run,
  wanted: readonly WantedNetwork[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string | null>> {
  const asked = new Set(wanted.flatMap(({ tables }) => tables.map(({ family, name }) => `${family} ${name}`)));
  const tables = new Map<string, string | null>();
  for (const line of (await run({ program: "nft", args: ["list", "tables"] }, signal)).split("\n")) {
    const [, family, name] = /^table (\S+) (\S+)$/.exec(line.trim()) ?? [];
    if (family === undefined || name === undefined || !name.startsWith("odorobo-")) continue;
    const key = `${family} ${name}`;
    tables.set(key, asked.has(key) ? await listTable(run, key, signal) : null);
  }
  return tables;
}

export const listTable = (run: Run, key: string, signal: AbortSignal): Promise<string> =>
  run({ program: "nft", args: ["-s", "-t", "list", "table", ...key.split(" ")] }, signal);

const isOn = async (path: string): Promise<boolean> => (await readFile(path, "utf8").catch(() => "0")).trim() !== "0";

/** Whether an interface has one of our names: `odb`, `odx` or `odv` and twelve digits. */
export const isOurName = (name: string): boolean =>
  Object.values(PREFIXES).some((prefix) => name.startsWith(prefix)) && /^od[bxv][0-9a-f]{12}$/.test(name);
