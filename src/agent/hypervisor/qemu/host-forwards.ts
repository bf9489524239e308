/**
 * Ports of the node that QEMU's user networks lead to their guests. QMP has no command for those of a guest that runs: they are asked for and
 * changed in the words of its monitor for people, whose answers are texts. Seen in 7.2; nothing in them has changed since 4.2.
 */
import { OdoroboError } from "../../../model/errors.ts";
import type { Forward, Nic } from "../../../model/vm-spec.ts";
import { nicId } from "./device-ids.ts";
import type { QmpClient } from "./qmp/qmp.ts";

/** As QEMU lists them: without a NIC's name in our words. */
export type ListedForwards = ReadonlyMap<string, readonly Forward[]>;

/** As an option has it: `tcp:127.0.0.1:2222-:22`. Those without a port of the node are not for QEMU. */
export const forwardRules = (forwards: readonly Forward[]): readonly string[] =>
  forwards.filter(({ hostPort }) => hostPort !== null).map(ruleOf);

const ruleOf = (forward: Forward): string => `${placeOf(forward)}-:${forward.guestPort}`;
const placeOf = ({ protocol, host, hostPort }: Forward): string => `${protocol}:${host}:${hostPort}`;

/**
 * ```
 * Hub -1 (nic-eth0):
 *   Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
 *   TCP[HOST_FORWARD]  13       127.0.0.1  2222       10.0.2.15    22     0     0
 * ```
 * Lines in other states are connections. `*` is every address of the node.
 */
export function parseForwards(text: string): ListedForwards {
  const listed = new Map<string, Forward[]>();
  let forwards: Forward[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, id] = /^(?:Hub|VLAN) -?\d+ \((.+)\):$/.exec(line) ?? [];
    if (id !== undefined) {
      forwards = [];
      listed.set(id, forwards);
    }
    const [, protocol, host, hostPort, guestPort] =
      /^\s*(TCP|UDP)\[HOST_FORWARD\]\s+\d+\s+(\S+)\s+(\d+)\s+\S+\s+(\d+)\s/.exec(line) ?? [];
    if (protocol === undefined || host === undefined) continue;
    forwards.push({
      guestPort: Number(guestPort),
      protocol: protocol === "UDP" ? "udp" : "tcp",
      host: host === "*" ? "0.0.0.0" : host,
      hostPort: Number(hostPort),
    });
  }
  return listed;
}

/** What is open for this NIC, in the order in which a spec has it. */
export function withListed(nic: Nic, listed: ListedForwards): Nic {
  if (nic.attachment.kind !== "user") return nic;
  const { forwards: known = [], ...bare } = nic;
  const open = listed.get(nicId(nic.name)) ?? [];
  const isOpen = (forward: Forward) => open.some((each) => ruleOf(each) === ruleOf(forward));
  const added = open.filter((each) => !known.some((forward) => ruleOf(forward) === ruleOf(each)));
  const forwards = [...known.filter(isOpen), ...added];
  return forwards.length === 0 ? bare : { ...bare, forwards };
}

export const listForwards = async (qmp: QmpClient, signal: AbortSignal): Promise<ListedForwards> =>
  parseForwards(await qmp.call("human-monitor-command", { "command-line": "info usernet" }, { signal }));

/** Rejects with HYPERVISOR_FAILED: something else has the port. */
export async function addForward(nic: string, forward: Forward, qmp: QmpClient, signal: AbortSignal): Promise<void> {
  const line = `hostfwd_add ${nicId(nic)} ${ruleOf(forward)}`;
  const said = (await qmp.call("human-monitor-command", { "command-line": line }, { signal })).trim();
  if (said === "") return;
  throw new OdoroboError("HYPERVISOR_FAILED", `${forwardInWords(forward)} could not be opened for ${nic}: ${said}`, {
    hint: "something else on the node has it: give the forward another port, or none",
  });
}

/** One that is not there is no failure. */
export async function removeForward(nic: string, forward: Forward, qmp: QmpClient, signal: AbortSignal): Promise<void> {
  const line = `hostfwd_remove ${nicId(nic)} ${placeOf(forward)}`;
  await qmp.call("human-monitor-command", { "command-line": line }, { signal });
}

/** Connections that were made through a forward outlive it. */
export const forwardInWords = ({ protocol, host, hostPort }: Pick<Forward, "protocol" | "host" | "hostPort">): string =>
  `port ${hostPort}${protocol === "udp" ? "/udp" : ""} at ${host}`;
