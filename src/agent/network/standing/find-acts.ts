/**
 * What must stand, what stands → what is to be done, one command at a time, in an order in which a guest never sends before its rules are
 * there. Pure. Whoever dies after any of them finds the rest still to do: nothing is remembered but what stands.
 *
 *   wanted-networks.ts, read-standing.ts → [find-acts.ts] → network-keeper.ts
 */

import { digestOfText } from "../../../model/digest.ts";
import { overlap, parseSubnet } from "../../../model/identity/subnet.ts";
import type { OwnBridge, Port, Table, Uplink, WantedNetwork } from "../wanted/wanted-network.ts";
import { FORWARDING, isOurName, type Link, loopbackSetting, type Standing } from "./read-standing.ts";
import type { Command } from "./run.ts";

export interface Act {
  readonly command: Command | WriteFile;
  /** What was missing or otherwise, for people: `its bridge odb… was gone`. */
  readonly because: string;
  /** Set where the rules of a table were put there. */
  readonly table?: { readonly key: string; readonly body: string };
}

/** A setting of the kernel. `where`: only where it says this now. */
export interface WriteFile {
  readonly program: "write";
  readonly path: string;
  readonly text: string;
  readonly where?: string;
}

export interface Acts {
  readonly acts: readonly Act[];
  /** Why nothing is done for it. */
  readonly problem: string | null;
}

export interface Known {
  readonly owner: string;
  /** Bridges that this agent made, or began to: an interface without a mark may be one of them. */
  readonly begun: ReadonlySet<string>;
  /** How each table was listed when it had been put there, and of what body. */
  readonly applied: ReadonlyMap<string, { readonly body: string; readonly listing: string }>;
}

/** For one network. */
export function findActs(wanted: WantedNetwork, standing: Standing, known: Known): Acts {
  if (wanted.problem !== null) return { acts: [], problem: wanted.problem };
  const { own, bridge } = wanted;
  const conflict = own === null ? null : findConflict(wanted, own, standing, known);
  if (conflict !== null) return { acts: [], problem: conflict };
  return {
    problem: null,
    acts: [
      ...(own === null ? [] : bridgeActs(bridge, own, standing)),
      ...wanted.tables.flatMap((table) => tableActs(table, standing, known)),
      ...(own === null ? [] : uplinkActs(bridge, own, standing)),
      ...wanted.ports.flatMap((port) => portActs(bridge, own, port, standing)),
      ...(own === null ? [] : openActs(bridge, standing)),
    ],
  };
}

/** What is there under our name and not ours, or would be taken for something else. */
function findConflict(
  { bridge, network }: WantedNetwork,
  own: OwnBridge,
  { links, routes }: Standing,
  known: Known,
): string | null {
  for (const name of [bridge, ...(own.uplink === null ? [] : [own.uplink.name])]) {
    const link = links.get(name);
    if (link === undefined || isOurs(link, known)) continue;
    return `${name} is another agent's (${link.alias || "it has no mark"}): two agents in one network of a node cannot both make ${network}`;
  }
  const { uplink } = own;
  if (uplink?.kind === "vlan" && !links.has(uplink.parent)) return `this node has no card ${uplink.parent}`;
  if (uplink?.kind === "vxlan") {
    const taken = [...links.values()].find(
      ({ name, kind, data }) =>
        kind === "vxlan" && name !== uplink.name && data.id === uplink.id && (data.port ?? 4789) === uplink.port,
    );
    if (taken !== undefined) return `${taken.name} has VNI ${uplink.id} on port ${uplink.port} already`;
  }
  // Once it stands, who comes later is in the wrong.
  if (links.has(bridge)) return null;
  return findOverlap(own.addresses, routes);
}

/** `owner`: what its addresses would be on. Also asked before there is a network. */
export function findOverlap(addresses: readonly string[], routes: Standing["routes"]): string | null {
  for (const address of addresses) {
    const subnet = parseSubnet(address);
    for (const { to, dev } of routes) {
      const other = parseSubnet(to);
      if (subnet !== null && other !== null && overlap(subnet, other) && other.prefix > 0)
        return `its addresses are in use on this node: ${to} on ${dev}`;
    }
  }
  return null;
}

const isOurs = ({ alias, name }: Link, { owner, begun }: Known): boolean =>
  alias.startsWith(`odorobo:${owner}:`) || (alias === "" && begun.has(`odb${name.slice(3)}`));

const ip = (because: string, ...args: string[]): Act => ({ command: { program: "ip", args }, because });

function bridgeActs(
  bridge: string,
  { mac, mtu, alias, addresses, carriesLoopback, forwards }: OwnBridge,
  standing: Standing,
): readonly Act[] {
  const link = standing.links.get(bridge);
  const acts: Act[] = [];
  const gone = `its bridge ${bridge} was gone`;
  if (link === undefined) acts.push(ip(gone, "link", "add", "name", bridge, "address", mac, "type", "bridge"));
  const because = (what: string) => (link === undefined ? gone : `its bridge ${bridge} had ${what}`);
  if (link?.alias !== alias) acts.push(ip(because("another mark"), "link", "set", "dev", bridge, "alias", alias));
  if (link !== undefined && link.mac !== mac)
    acts.push(ip(because("another address"), "link", "set", "dev", bridge, "address", mac));
  if (link === undefined || link.mtu !== mtu)
    acts.push(ip(because(`an MTU of ${link?.mtu}`), "link", "set", "dev", bridge, "mtu", `${mtu}`));
  for (const address of addresses)
    if (link?.addresses.includes(address) !== true)
      acts.push(
        ip(
          because(`not ${address}`),
          "addr",
          "replace",
          address,
          "dev",
          bridge,
          ...(address.includes(":") ? ["nodad"] : []),
        ),
      );
  for (const address of link?.addresses ?? [])
    if (!addresses.includes(address)) acts.push(ip(because(address), "addr", "del", address, "dev", bridge));
  if (carriesLoopback && !(link !== undefined && standing.loopback.has(bridge)))
    acts.push({
      command: { program: "write", path: loopbackSetting(bridge), text: "1" },
      because: "its rules were others",
    });
  for (const family of forwards)
    if (!standing.forwards[family]) acts.push(...forwardingActs(family, [...standing.links.keys()]));
  return acts;
}

/** With forwarding a node no longer listens to routers, unless told to. */
function forwardingActs(family: "ipv4" | "ipv6", links: readonly string[]): readonly Act[] {
  const because = "the node did not pass packets on";
  const write = (path: string, text: string, where?: string): Act => ({
    command: { program: "write", path, text, ...(where === undefined ? {} : { where }) },
    because,
  });
  if (family === "ipv4") return [write(FORWARDING.ipv4, "1")];
  return [
    ...links
      .filter((name) => name !== "lo")
      .map((name) => write(`/proc/sys/net/ipv6/conf/${name}/accept_ra`, "2", "1")),
    write(FORWARDING.ipv6, "1"),
  ];
}

function tableActs({ family, name, body }: Table, { tables }: Standing, { applied }: Known): readonly Act[] {
  const key = `${family} ${name}`;
  const [before, listing] = [applied.get(key), tables.get(key)];
  if (before !== undefined && before.body === body && before.listing === listing) return [];
  const because =
    before === undefined || before.body !== body
      ? "its rules were others"
      : listing === undefined
        ? "its rules were gone"
        : "somebody had changed its rules";
  // In one transaction: no packet passes between the old ones and the new.
  const input = `add table ${key}\ndelete table ${key}\ntable ${key} {\n${body}\n}\n`;
  return [{ command: { program: "nft", args: ["-f", "-"], input }, because, table: { key, body } }];
}

function uplinkActs(bridge: string, { uplink, mtu, alias }: OwnBridge, standing: Standing): readonly Act[] {
  if (uplink === null) return [];
  const there = standing.links.get(uplink.name);
  const fits = there !== undefined && isAsWanted(uplink, there);
  const link = fits ? there : undefined;
  const acts: Act[] = [];
  const gone = there === undefined ? `its way out ${uplink.name} was gone` : `its way out ${uplink.name} was another`;
  if (there !== undefined && !fits) acts.push(ip(gone, "link", "del", "dev", uplink.name));
  if (link === undefined) acts.push(ip(gone, ...additionOf(uplink)));
  const because = (what: string) => (link === undefined ? gone : `its way out ${uplink.name} ${what}`);
  if (link?.alias !== alias)
    acts.push(ip(because("had another mark"), "link", "set", "dev", uplink.name, "alias", alias));
  if (link?.mtu !== mtu)
    acts.push(ip(because(`had an MTU of ${link?.mtu}`), "link", "set", "dev", uplink.name, "mtu", `${mtu}`));
  if (link?.master !== bridge)
    acts.push(ip(because("was not plugged in"), "link", "set", "dev", uplink.name, "master", bridge));
  if (link?.isUp !== true) acts.push(ip(because("was down"), "link", "set", "dev", uplink.name, "up"));
  if (uplink.kind !== "vxlan") return acts;
  const floods = link === undefined ? [] : (standing.floods.get(uplink.name) ?? []);
  const flood = (act: "append" | "del", peer: string, why: string): Act => ({
    command: { program: "bridge", args: ["fdb", act, "00:00:00:00:00:00", "dev", uplink.name, "dst", peer] },
    because: because(why),
  });
  for (const peer of uplink.peers) if (!floods.includes(peer)) acts.push(flood("append", peer, `did not know ${peer}`));
  for (const peer of floods) if (!uplink.peers.includes(peer)) acts.push(flood("del", peer, `knew ${peer}`));
  return acts;
}

function isAsWanted(uplink: Uplink, { kind, data, parent }: Link): boolean {
  if (kind !== uplink.kind || data.id !== uplink.id) return false;
  if (uplink.kind === "vlan") return parent === uplink.parent;
  return (data.local ?? data.local6) === uplink.local && data.port === uplink.port && data.link === uplink.dev;
}

function additionOf(uplink: Uplink): readonly string[] {
  if (uplink.kind === "vlan")
    return ["link", "add", "link", uplink.parent, "name", uplink.name, "type", "vlan", "id", `${uplink.id}`];
  const { name, id, port, local, dev } = uplink;
  return [
    "link",
    "add",
    "name",
    name,
    "type",
    "vxlan",
    "id",
    `${id}`,
    "dstport",
    `${port}`,
    "local",
    local,
    "dev",
    dev,
  ];
}

/** Taps are made beside their guests; one that is not there yet, or no more, is none of this. */
function portActs(
  bridge: string,
  own: OwnBridge | null,
  { tap, mac, isolated }: Port,
  { links }: Standing,
): readonly Act[] {
  const link = links.get(tap);
  if (link === undefined) return [];
  const acts: Act[] = [];
  const isIn = link.master === bridge && links.has(bridge);
  // On a bridge of the node's own that is for a plan to say.
  if (!isIn && own === null) return [];
  const because = `${tap} was not on it`;
  if (own !== null && (link.mtu !== own.mtu || link.mac !== mac))
    acts.push(
      ip(
        isIn ? `${tap} had an MTU of ${link.mtu}` : because,
        "link",
        "set",
        "dev",
        tap,
        "address",
        mac,
        "mtu",
        `${own.mtu}`,
      ),
    );
  if (!isIn) acts.push(ip(because, "link", "set", "dev", tap, "master", bridge, "up"));
  if ((isIn && link.isolated) !== isolated)
    acts.push(
      ip(
        isIn ? `${tap} was${isolated ? " not" : ""} isolated` : because,
        "link",
        "set",
        "dev",
        tap,
        "type",
        "bridge_slave",
        "isolated",
        isolated ? "on" : "off",
      ),
    );
  return acts;
}

function openActs(bridge: string, { links }: Standing): readonly Act[] {
  return links.get(bridge)?.isUp === true
    ? []
    : [ip(`its bridge ${bridge} was down`, "link", "set", "dev", bridge, "up")];
}

/** What is left of networks that nobody is on any more: tables first, then links, as they hang on one another. */
export function findLeftovers(
  wanted: readonly WantedNetwork[],
  { links, tables }: Standing,
  known: Known,
): readonly Act[] {
  const wantedLinks = new Set(
    wanted.flatMap(({ bridge, own }) =>
      own === null ? [bridge] : [bridge, ...(own.uplink === null ? [] : [own.uplink.name])],
    ),
  );
  // What cannot be made just now is not taken away for it either.
  for (const { bridge, problem } of wanted)
    if (problem !== null) for (const kind of ["b", "x", "v"]) wantedLinks.add(`od${kind}${bridge.slice(3)}`);
  const wantedTables = new Set(
    wanted.flatMap(({ tables: each }) => each.map(({ family, name }) => `${family} ${name}`)),
  );
  const mark = `-${digestOfText(`owner/${known.owner}`).slice(0, 8)}`;
  const because = "nobody is on it any more";
  const spared = new Set(
    wanted.flatMap(({ bridge, problem }) => (problem === null ? [] : [`odorobo-${bridge}${mark}`])),
  );
  return [
    ...[...tables.keys()]
      .filter((key) => key.endsWith(mark) && !wantedTables.has(key) && !spared.has(key.split(" ")[1] ?? ""))
      .map((key): Act => ({ command: { program: "nft", args: ["delete", "table", ...key.split(" ")] }, because })),
    ...[...links.values()]
      .filter((link) => isOurName(link.name) && !wantedLinks.has(link.name) && isOurs(link, known))
      .sort((a, b) => Number(a.kind === "bridge") - Number(b.kind === "bridge"))
      .map(({ name }) => ip(because, "link", "del", "dev", name)),
  ];
}
