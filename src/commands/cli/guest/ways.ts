/**
 * How a guest's port can be reached from here, best way first: by a port of its node that leads to it, else by an address of its own; through
 * its node where that is not this machine. Pure.
 */
import { OdoroboError } from "../../../model/errors.ts";
import type { VmReport } from "../../../model/observed-state.ts";
import { parseAgentAddress } from "../../../wire/agent-address.ts";

export interface Way {
  readonly host: string;
  readonly port: number;
  /** The node to go through; null: straight from here. */
  readonly jump: string | null;
  /** For people: `the forward of its node`, `10.0.0.11 (lease)`. */
  readonly by: string;
}

/** What other ways are tried for when there is no port that leads to the guest. */
const SOURCES = ["lease", "guest-agent", "neighbour", "declared"] as const;

/**
 * `agent`: the address of its node's agent. Each way straight from here is followed by the same through the node: an address may be one of a
 * network that only the node is on. Throws NOT_FOUND where nothing is known of where the guest is.
 */
export function waysTo(
  vm: Pick<VmReport, "name" | "addresses" | "forwards">,
  port: number,
  agent: string,
): readonly Way[] {
  const node = hostOf(agent);
  const isHere = node === null || isLoopback(node);
  const ways: Way[] = [];
  const forwards = (vm.forwards ?? []).filter(({ host }) => isPlain(host));
  const addresses = (vm.addresses ?? []).filter(({ address }) => isPlain(address));
  for (const { host, hostPort, guestPort, protocol } of forwards) {
    if (guestPort !== port || protocol !== "tcp") continue;
    const by = `port ${hostPort} of its node`;
    const onNode = { host: host === "0.0.0.0" ? "127.0.0.1" : host, port: hostPort, by };
    if (isHere) ways.push({ ...onNode, jump: null });
    else if (isLoopback(host)) ways.push({ ...onNode, jump: node });
    else ways.push({ ...onNode, host: host === "0.0.0.0" ? node : host, jump: null }, { ...onNode, jump: node });
  }
  for (const source of SOURCES)
    for (const { address } of addresses.filter((each) => each.source === source)) {
      if (ways.some((way) => way.host === address)) continue;
      const way = { host: address, port, by: `${address} (${source})` };
      ways.push({ ...way, jump: null });
      if (!isHere && node !== null) ways.push({ ...way, jump: node });
    }
  if (ways.length > 0) return ways;
  throw new OdoroboError("NOT_FOUND", `nothing is known of where ${vm.name} can be reached`, {
    hint: `give a NIC a forward (forwards: [${port}] on a network of type user) or an address; odorobo vm info ${vm.name} shows what is known`,
  });
}

/** Null: it is reached by a socket of this machine. */
function hostOf(agent: string): string | null {
  const { socketPath, origin } = parseAgentAddress(agent);
  return socketPath === null ? new URL(origin).hostname.replace(/^\[|\]$/g, "") : null;
}

/** An agent's word becomes an argument of a program here: nothing but an address is one. */
const isPlain = (host: string): boolean => /^[0-9A-Fa-f.:]+$/.test(host);

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || /^127\./.test(host);
