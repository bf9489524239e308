/**
 * Which ports of the node lead to which guest. One that nobody named is chosen once and kept with the VM's record: what a person noted
 * down, or a script has in it, leads to the same guest after any boot.
 *
 * Invariants: no port is given to two VMs of this agent, running or not; between choosing and noting nobody else chooses. A port that
 * something else on the node has is never chosen, and one that a manifest names is refused before anything is begun.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { digestOfText } from "../../../model/digest.ts";
import { isErrno, OdoroboError } from "../../../model/errors.ts";
import type { OpenForward } from "../../../model/observed-state.ts";
import type { Forward, Nic, VmSpec } from "../../../model/vm-spec.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

/**
 * Below what Linux gives to connections (32768 to 60999, ip_local_port_range), where one that is free now is taken in a moment, and
 * above what services are known by.
 */
const FIRST_PORT = 20_000;
const PORTS = 10_000;

export interface HostPorts {
  /** In which every forward has a port of the node. */
  readonly spec: VmSpec;
  /** For the record: those that were chosen. Left out where it never had any. */
  readonly hostPorts?: readonly OpenForward[];
}

/** Rejects with ADDRESS_IN_USE. Stand-ins open no port, and get the same ones as guests would. */
export async function claimHostPorts(
  parts: Parts,
  slot: Slot,
  vm: Pick<VmRecord, "spec" | "hostPorts">,
): Promise<HostPorts> {
  const { spec } = vm;
  if (spec.nics.every(({ forwards = [] }) => forwards.length === 0)) {
    slot.hostPorts = [];
    return { spec, ...(vm.hostPorts === undefined ? {} : { hostPorts: [] }) };
  }
  const isReal = parts.hypervisors.get(spec.hypervisor)?.disks === "real";
  const known = [...(vm.hostPorts ?? []), ...slot.hostPorts];
  const chosen: OpenForward[] = [];
  const nics: Nic[] = [];
  slot.hostPorts = known;
  for (const nic of spec.nics) {
    const forwards: Forward[] = [];
    for (const forward of nic.forwards ?? []) {
      if (forward.hostPort !== null) {
        const open = { ...forward, nic: nic.name, hostPort: forward.hostPort };
        if (!isOurs(slot, open)) await refuseTaken(parts, slot, open, isReal);
        forwards.push(forward);
        continue;
      }
      const open = await choose(parts, slot, nic.name, forward, known, isReal);
      chosen.push(open);
      forwards.push({ ...forward, hostPort: open.hostPort });
    }
    nics.push(forwards.length === 0 ? nic : { ...nic, forwards });
  }
  slot.hostPorts = chosen;
  return { spec: { ...spec, nics }, hostPorts: chosen };
}

/** The one it had, or the first that is free, looked for from a place of its own: where nothing is in the way it is the same on every node. */
async function choose(
  parts: Parts,
  slot: Slot,
  nic: string,
  { guestPort, protocol, host }: Forward,
  known: readonly OpenForward[],
  isReal: boolean,
): Promise<OpenForward> {
  const what = { nic, host, guestPort, protocol };
  const before = known.find((each) => sameForward(each, what))?.hostPort;
  const start = Number.parseInt(digestOfText(`${slot.name}/${nic}/${protocol}/${guestPort}/${host}`).slice(0, 8), 16);
  for (let attempt = before === undefined ? 0 : -1; attempt < PORTS; attempt++) {
    const hostPort = attempt === -1 ? (before as number) : FIRST_PORT + ((start + attempt) % PORTS);
    const open: OpenForward = { ...what, hostPort };
    if (ownerOf(parts, slot, open) !== null || isDouble(slot, open)) continue;
    // Before anybody else is asked: nobody may choose it meanwhile.
    slot.hostPorts = [...slot.hostPorts.filter((each) => !sameForward(each, what)), open];
    if (!isReal || isOurs(slot, open) || (await isFree(open))) return open;
  }
  throw new OdoroboError("ADDRESS_IN_USE", `there is no free port for port ${guestPort} of ${slot.name} at ${host}`, {
    hint: `ports from ${FIRST_PORT} to ${FIRST_PORT + PORTS - 1} are for this: name another in the manifest (HOST:${guestPort})`,
  });
}

async function refuseTaken(parts: Parts, slot: Slot, open: OpenForward, isReal: boolean): Promise<void> {
  const owner = ownerOf(parts, slot, open);
  if (owner === null && (!isReal || (await isFree(open)))) return;
  const who = owner === null ? "something else on the node has it" : `${owner} has it`;
  throw new OdoroboError("ADDRESS_IN_USE", `${slot.name} is to have port ${inWords(open)} of its node, and ${who}`, {
    hint: "name another port in the manifest, or none: then the agent chooses one that is free",
  });
}

const inWords = ({ hostPort, protocol, host }: OpenForward): string =>
  `${hostPort}${protocol === "udp" ? "/udp" : ""} at ${host}`;

/** Another VM of this agent that has it: by a choice for good, by name while its guest runs. */
function ownerOf(parts: Parts, slot: Slot, open: OpenForward): string | null {
  for (const other of parts.claims.slots.values()) {
    if (other === slot || other.stored?.state === "unreadable") continue;
    const chosen = [...other.hostPorts, ...(other.stored?.hostPorts ?? [])];
    const running = other.stored?.state === "present" ? (other.stored.guest?.bootedSpec.nics ?? []) : [];
    const named = running.flatMap(({ forwards = [] }) => forwards);
    if ([...chosen, ...named].some((each) => clash(each, open))) return other.name;
  }
  return null;
}

/** Another forward of this very VM has it, by choice or by name. */
function isDouble(slot: Slot, open: OpenForward): boolean {
  const spec = slot.stored?.state === "present" ? slot.stored.spec : null;
  const named = spec?.nics.flatMap(({ forwards = [] }) => forwards) ?? [];
  const chosen = slot.hostPorts.filter((each) => !sameForward(each, open));
  return [...chosen, ...named].some((each) => clash(each, open));
}

/** Its own guest has it open. */
function isOurs(slot: Slot, open: OpenForward): boolean {
  const booted = slot.stored?.state === "present" ? slot.stored.guest?.bootedSpec.nics : undefined;
  const nics = slot.guest === null ? [] : (slot.live?.nics ?? booted ?? []);
  return nics.some(({ forwards = [] }) => forwards.some((each) => clash(each, open)));
}

const clash = (
  one: Pick<Forward, "hostPort" | "protocol" | "host">,
  other: Pick<Forward, "hostPort" | "protocol" | "host">,
): boolean =>
  one.hostPort === other.hostPort &&
  one.protocol === other.protocol &&
  (one.host === other.host || one.host === ANY || other.host === ANY);

const ANY = "0.0.0.0";

const sameForward = (one: OpenForward, other: Omit<OpenForward, "hostPort">): boolean =>
  one.nic === other.nic &&
  one.guestPort === other.guestPort &&
  one.protocol === other.protocol &&
  one.host === other.host;

/** What only its hypervisor may open (ports below 1024), or only its own name space has, that says when the guest starts. */
async function isFree({ protocol, host, hostPort }: OpenForward): Promise<boolean> {
  const error = await (protocol === "udp" ? bindUdp(host, hostPort) : bindTcp(host, hostPort));
  return !isErrno(error, "EADDRINUSE");
}

const bindTcp = (host: string, port: number): Promise<unknown> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });

const bindUdp = (host: string, port: number): Promise<unknown> =>
  new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", (error) => socket.close(() => resolve(error)));
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(null)));
  });
