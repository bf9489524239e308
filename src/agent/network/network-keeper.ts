/**
 * Keeps what guests' networks need standing on this node: makes it before a guest needs it, puts right what somebody changed, takes it away
 * with the last guest. Everything is worked out anew from the guests that are here and from what stands, so whoever dies in the middle of it
 * is no loss: the next look does the rest.
 *
 *   lifecycle → [network-keeper.ts] → wanted/ (what must stand) → standing/ (what does, and the way there) → ip, nft, dnsmasq
 *
 * Invariants:
 * - One look at a time.
 * - What has another agent's mark, or nobody's, is never touched; no table but our own is.
 * - What cannot be made for one network keeps no other from being made.
 */
import { readFile, writeFile } from "node:fs/promises";
import type { LookAnswer, NetworkQuestion } from "../../model/boot/boot-needs.ts";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import { sameValue } from "../../model/fields.ts";
import { instant } from "../../model/names.ts";
import type { GuestAddress, NetworkReport } from "../../model/observed-state.ts";
import type { Nic } from "../../model/vm-spec.ts";
import type { Logger } from "../../platform/logger.ts";
import { tapName } from "../launch-command.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { Neighbour } from "./neighbours.ts";
import { NetworkNotes } from "./network-notes.ts";
import { type Act, findActs, findLeftovers, type Known } from "./standing/find-acts.ts";
import { findLacks, type Lack, missingInKernel } from "./standing/find-lacks.ts";
import { NameServers } from "./standing/name-servers.ts";
import { type Links, listTable, readLinks, readStanding } from "./standing/read-standing.ts";
import { type Run, runProgram } from "./standing/run.ts";
import type { HostNetwork, Keeping } from "./tap.ts";
import { addressesOf, leaseAddresses } from "./wanted/leases.ts";
import type { NodeFacts, PlacedNic, WantedNetwork } from "./wanted/wanted-network.ts";
import { wantedNetworks } from "./wanted/wanted-networks.ts";

export interface KeeperOptions {
  readonly taps: HostNetwork;
  /** Of the node: what this agent makes has it as its mark. */
  readonly owner: string;
  readonly dataFolder: string;
  readonly runFolder: string;
  readonly supervisor: Supervisor;
  readonly logger: Logger;
  /** How the node's programs are started. */
  readonly run?: Run;
}

const RESOLV_CONF = "/etc/resolv.conf";

/** Looks at what the node has, and touches nothing. */
export async function openNetworks(options: KeeperOptions): Promise<NetworkKeeper> {
  return new NetworkKeeper(options, await findLacks());
}

export class NetworkKeeper implements HostNetwork {
  readonly #options: KeeperOptions;
  readonly #lacks: readonly Lack[];
  readonly #run: Run;
  readonly #notes: NetworkNotes;
  readonly #servers: NameServers;
  #keeping: Keeping = { placed: () => [], tell: () => {} };
  /** About to be placed: the lifecycle's records may not say so yet. */
  readonly #coming = new Map<string, PlacedNic>();
  /** With other surroundings than records may say yet. */
  readonly #changing = new Map<string, PlacedNic>();
  /** No longer placed, though records may say so still. */
  readonly #leaving = new Set<string>();
  readonly #applied = new Map<string, { readonly body: string; readonly listing: string }>();
  /** Networks that stood whole when they were looked at last. */
  readonly #whole = new Set<string>();
  #leases: NodeFacts["leases"] = {};
  #problems: ReadonlyMap<string, OdoroboError> = new Map();
  #wanted: readonly WantedNetwork[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: KeeperOptions, lacks: readonly Lack[] = []) {
    this.#options = options;
    this.#lacks = lacks;
    this.#run = options.run ?? runProgram;
    this.#notes = new NetworkNotes(options.dataFolder, options.logger);
    this.#servers = new NameServers(options);
  }

  /** From now on networks are kept for these. */
  begin(keeping: Keeping): void {
    this.#keeping = keeping;
  }

  async prepareTaps(vm: string, nics: readonly Nic[], signal: AbortSignal): Promise<void> {
    const kept = nics.filter(isKept);
    for (const nic of kept) {
      const tap = tapName(vm, nic.name);
      this.#leaving.delete(tap);
      this.#coming.set(tap, { vm, nic, appliedAt: NEWEST });
    }
    if (kept.length > 0) await this.#makeFor(vm, kept, signal);
    await this.#options.taps.prepareTaps(vm, nics, signal);
    // Only what is plugged in can be set apart.
    if (kept.some(({ rules }) => rules?.isolated === true)) await this.#makeFor(vm, kept, signal);
  }

  async removeTaps(vm: string, nics: readonly Nic[], signal: AbortSignal): Promise<void> {
    await this.#options.taps.removeTaps(vm, nics, signal);
    const kept = nics.filter(isKept);
    for (const nic of kept) {
      const tap = tapName(vm, nic.name);
      this.#coming.delete(tap);
      this.#changing.delete(tap);
      this.#leaving.add(tap);
    }
    if (kept.length > 0) await this.settle(signal);
  }

  async update(vm: string, nics: readonly Nic[], signal: AbortSignal): Promise<void> {
    for (const nic of nics) this.#changing.set(tapName(vm, nic.name), { vm, nic, appliedAt: NEWEST });
    await this.settle(signal);
    this.#refuseProblems(nics);
  }

  replugTaps(vm: string, nics: readonly Nic[], signal: AbortSignal): Promise<void> {
    return this.#options.taps.replugTaps(vm, nics, signal);
  }

  bridgeOf(vm: string, nic: Nic): Promise<string | null> {
    return this.#options.taps.bridgeOf(vm, nic);
  }

  async neighbours(signal: AbortSignal): Promise<readonly Neighbour[]> {
    return (await this.#options.taps.neighbours?.(signal)) ?? [];
  }

  async hasBridge(name: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#options.taps.hasBridge?.(name, signal)) ?? false;
  }

  /** Makes it so. Rejects only where nothing can be looked at, or with the signal's reason; what one network lacks is told by `report`. */
  settle(signal: AbortSignal): Promise<void> {
    const mine = this.#turn.then(() => this.#settle(signal));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** Addresses that NICs were given and have not declared, and those that they give themselves by its rules. */
  leasesOf(nics: readonly Nic[]): readonly GuestAddress[] {
    return nics.flatMap((nic) => {
      if (nic.attachment.kind !== "bridge" || nic.made?.dhcp !== true) return [];
      const declared = nic.address?.split("/")[0];
      const { ipv4, ipv6 } = addressesOf(nic, nic.attachment.bridge, this.#leases);
      return [ipv4, ipv6].flatMap((address) =>
        address === null || address === declared ? [] : [{ address, source: "lease", nic: nic.name } as const],
      );
    });
  }

  /** Sorted by bridge. */
  report(): readonly NetworkReport[] {
    return this.#wanted.map(({ network, bridge, ports, own }) => ({
      name: network,
      bridge,
      guests: ports.length,
      ...(own === null ? {} : { mtu: own.mtu, addresses: own.addresses }),
      problem: this.#problems.get(bridge)?.message ?? null,
    }));
  }

  lacks(): readonly string[] {
    return this.#lacks.map(({ problem }) => problem);
  }

  /** As if a guest of it were here. Changes nothing. */
  async lookFor({ network, bridge, made }: NetworkQuestion, signal: AbortSignal): Promise<LookAnswer | null> {
    const lack = this.#lacks.find(({ of }) => of(made));
    if (lack !== undefined) return { found: false, problem: lack.problem };
    if (made === null) return { found: true };
    const links = await readLinks(this.#run, signal);
    const nic: Nic = { ...ASKED_FOR, network, attachment: { kind: "bridge", bridge }, made };
    const [wanted] = wantedNetworks([{ vm: "asked-for", nic, appliedAt: NEWEST }], await this.#facts(links, {}));
    if (wanted === undefined) return null;
    const standing = await readStanding(this.#run, links, [], signal);
    const { begun } = await this.#notes.read();
    const known: Known = { owner: this.#options.owner, begun: new Set(begun), applied: this.#applied };
    const { problem } = findActs(wanted, standing, known);
    if (problem !== null) return { found: false, problem };
    const missing = await missingInKernel(made);
    return missing === null ? { found: true } : { found: false, problem: missing };
  }

  async #makeFor(vm: string, nics: readonly Nic[], signal: AbortSignal): Promise<void> {
    try {
      await this.settle(signal);
      this.#refuseProblems(nics);
    } catch (error) {
      for (const nic of nics) this.#coming.delete(tapName(vm, nic.name));
      throw error;
    }
  }

  #refuseProblems(nics: readonly Nic[]): void {
    for (const { attachment } of nics) {
      const problem = attachment.kind === "bridge" ? this.#problems.get(attachment.bridge) : undefined;
      if (problem !== undefined) throw problem;
    }
  }

  #placed(): readonly PlacedNic[] {
    const told = this.#keeping.placed();
    const known = told.map((each) => this.#asChanged(each)).filter(({ nic }) => isKept(nic));
    const taps = new Set(known.map(({ vm, nic }) => tapName(vm, nic.name)));
    for (const tap of taps) this.#coming.delete(tap);
    for (const tap of this.#leaving) if (!taps.has(tap)) this.#leaving.delete(tap);
    return [...known.filter(({ vm, nic }) => !this.#leaving.has(tapName(vm, nic.name))), ...this.#coming.values()];
  }

  #asChanged(each: PlacedNic): PlacedNic {
    const tap = tapName(each.vm, each.nic.name);
    const changed = this.#changing.get(tap);
    if (changed === undefined) return each;
    if (!sameValue(changed.nic, each.nic)) return changed;
    this.#changing.delete(tap);
    return each;
  }

  async #settle(signal: AbortSignal): Promise<void> {
    const placed = this.#placed();
    const notes = await this.#notes.read();
    // Nothing of ours: nothing to look at.
    if (placed.length === 0 && notes.begun.length === 0) {
      this.#wanted = [];
      this.#problems = new Map();
      return;
    }
    const links = await readLinks(this.#run, signal);
    const { leases, exhausted } = leaseAddresses(notes.leases, placed);
    this.#leases = leases;
    const wanted = wantedNetworks(placed, await this.#facts(links, leases));
    await this.#notes.write({ begun: [...notes.begun, ...wanted.map(({ bridge }) => bridge)], leases });
    const standing = await readStanding(this.#run, links, wanted, signal);
    const known: Known = {
      owner: this.#options.owner,
      begun: new Set([...notes.begun, ...wanted.map(({ bridge }) => bridge)]),
      applied: this.#applied,
    };
    const problems = new Map<string, OdoroboError>();
    for (const each of wanted) {
      const { acts, problem } = findActs(each, standing, known);
      try {
        if (problem !== null) throw cannot(each, problem);
        const restored = await this.#perform(acts, signal);
        const server = each.dnsmasq === null ? null : await this.#servers.ensure(each.bridge, each.dnsmasq, signal);
        this.#tellRestored(each, placed, server === null ? restored : [...restored, server]);
        const without = exhausted.get(each.bridge);
        if (without !== undefined)
          throw cannot(
            each,
            `it has no address left for ${without.join(", ")}`,
            "give it a larger subnet, or fewer guests",
          );
      } catch (error) {
        signal.throwIfAborted();
        if (!isOdoroboError(error)) throw error;
        this.#whole.delete(each.bridge);
        problems.set(each.bridge, error);
        this.#options.logger.error(
          { err: error, network: each.network, bridge: each.bridge },
          "a network of guests does not stand",
        );
      }
    }
    this.#problems = problems;
    this.#wanted = wanted;
    await this.#servers.keepOnly(
      new Set(
        wanted.filter(({ dnsmasq, problem }) => dnsmasq !== null || problem !== null).map(({ bridge }) => bridge),
      ),
    );
    const leftovers = findLeftovers(wanted, standing, known);
    await this.#perform(leftovers, signal);
    for (const { command } of leftovers)
      if (command.program === "nft") this.#applied.delete(command.args.slice(2).join(" "));
    const bridges = new Set(wanted.map(({ bridge }) => bridge));
    for (const bridge of this.#whole) if (!bridges.has(bridge)) this.#whole.delete(bridge);
    await this.#notes.write({ begun: [...bridges], leases });
  }

  async #facts(links: Links, leases: NodeFacts["leases"]): Promise<NodeFacts> {
    const text = await readFile(RESOLV_CONF, "utf8").catch(() => "");
    return {
      owner: this.#options.owner,
      addresses: [...links.values()].flatMap(({ name, mtu, addresses }) =>
        addresses.length === 0
          ? [{ dev: name, address: "", mtu }]
          : addresses.map((each) => ({ dev: name, address: each.split("/")[0] ?? "", mtu })),
      ),
      resolvers: [...text.matchAll(/^nameserver\s+([0-9a-fA-F.:]+)\s*$/gm)].map(([, address]) => address as string),
      leases,
    };
  }

  /** What each was done for. */
  async #perform(acts: readonly Act[], signal: AbortSignal): Promise<readonly string[]> {
    for (const { command, table } of acts) {
      if (command.program === "write") await writeSetting(command);
      else await this.#run(command, signal);
      if (table === undefined) continue;
      const listing = await listTable(this.#run, table.key, signal);
      this.#applied.set(table.key, { body: table.body, listing });
    }
    return [...new Set(acts.map(({ because }) => because))];
  }

  /** What is made for the first time, or made otherwise because guests came and went, is no news. */
  #tellRestored({ network, bridge }: WantedNetwork, placed: readonly PlacedNic[], restored: readonly string[]): void {
    const isNews = restored.filter((each) => !EXPECTED.has(each));
    if (this.#whole.has(bridge) && isNews.length > 0) {
      const vms = placed.flatMap(({ vm, nic }) =>
        nic.attachment.kind === "bridge" && nic.attachment.bridge === bridge ? [vm] : [],
      );
      const message = `network ${network} was changed, and not by its agent: ${isNews.join(", ")}; it is restored`;
      this.#options.logger.warn(
        { network, bridge, restored: isNews },
        "a network of guests was changed by somebody else and is restored",
      );
      this.#keeping.tell([...new Set(vms)], message);
    }
    this.#whole.add(bridge);
  }
}

const EXPECTED: ReadonlySet<string> = new Set(["its rules were others", "its server was to say something else"]);

const ASKED_FOR = { name: "eth0", mac: "02:00:00:00:00:00", address: null } as const;

/** A guest that is about to start knows its network best. */
const NEWEST = instant("9999-12-31T23:59:59.999Z");

/** Whether something must stand for it beside its tap. */
const isKept = ({ attachment, made, rules }: Nic): boolean =>
  attachment.kind === "bridge" && (made !== undefined || rules !== undefined);

const cannot = ({ network }: WantedNetwork, problem: string, hint = "see docs/networks.md for what a node needs") =>
  new OdoroboError("UNSUPPORTED", `network ${network} cannot be made on this node: ${problem}`, { hint });

async function writeSetting({ path, text, where }: { path: string; text: string; where?: string }): Promise<void> {
  try {
    if (where !== undefined && (await readFile(path, "utf8")).trim() !== where) return;
    await writeFile(path, text);
  } catch (cause) {
    // An interface can go at any time, with its settings.
    if (where !== undefined) return;
    throw new OdoroboError("HYPERVISOR_FAILED", `could not write ${text} to ${path}`, {
      cause,
      hint: "the agent must be root where /proc/sys can be written, or the administrator sets it (sysctl)",
    });
  }
}
