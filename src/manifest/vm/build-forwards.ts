/** Forwards as people write them (`2222:22`, `80`, `0.0.0.0:53:53/udp`, `{guest: 80}`) → ports of the node that lead to ports of the guest. */
import type { CommonForward } from "../../model/documents.ts";
import { canonicalAddress } from "../../model/identity/net-address.ts";
import { byName } from "../../model/names.ts";
import type { Forward } from "../../model/vm-spec.ts";
import type { ReportField } from "../text/source-document.ts";
import { isAddressWithPrefix } from "./ip-address.ts";

/** Nobody but the node itself reaches a port that nobody said more of. */
const DEFAULT_HOST = "127.0.0.1";

export interface ForwardContext {
  readonly nic: string;
  /** Of its network. */
  readonly type: string;
  /** Ports of the node that this VM has already, and for which NIC: of two, the later one hears of it. */
  readonly taken: Map<string, string>;
  readonly report: ReportField;
}

/** Sorted, so that the same ports in another order are the same. What makes no sense is reported and left out. */
export function buildForwards(written: readonly CommonForward[], context: ForwardContext): Forward[] {
  const { nic, type, taken, report } = context;
  const at = ["nics", nic, "forwards"];
  if (written.length > 0 && type !== "user" && type !== "nat") {
    report(at, {
      code: "conflicting-fields",
      message: `ports are forwarded on networks of type user and nat, and ${nic} is on one of type ${type}`,
      hint: "its guest has an address of its own there: remove the forwards, or put the NIC on a network of type nat or user",
    });
    return [];
  }
  const forwards: Forward[] = [];
  for (const [index, each] of written.entries()) {
    const forward = readForward(each);
    if (forward === null) {
      report([...at, index], {
        code: "bad-value",
        message: "this is no forward: a port is a number from 1 to 65535, and the node's address an IPv4 address",
        hint: "such as 2222:22, 22 for a port that the agent chooses, or 0.0.0.0:8080:80/tcp",
      });
      continue;
    }
    const key = keyOf(forward, nic);
    const owner = taken.get(key);
    taken.set(key, nic);
    if (owner === undefined) forwards.push(forward);
    else
      report([...at, index], {
        code: "conflicting-fields",
        message:
          forward.hostPort === null
            ? `port ${forward.guestPort} of the guest is forwarded twice without saying from which port of the node`
            : `port ${forward.hostPort} of the node is forwarded twice`,
        hint: "remove one of them, or give it another port of the node",
      });
  }
  return forwards.sort(
    (a, b) =>
      a.guestPort - b.guestPort ||
      byName(a.protocol, b.protocol) ||
      byName(a.host, b.host) ||
      (a.hostPort ?? 0) - (b.hostPort ?? 0),
  );
}

/** All of the node's addresses and one of them clash as well; that only its kernel can say, and says when the guest starts. */
const keyOf = ({ guestPort, protocol, host, hostPort }: Forward, nic: string): string =>
  hostPort === null ? `${nic} ${guestPort} ${protocol} ${host}` : `${protocol} ${host} ${hostPort}`;

/** Null: it makes no sense. */
function readForward(written: CommonForward): Forward | null {
  if (typeof written === "number") return made({ guest: written });
  if (typeof written !== "string") return made(written);
  const [ports = "", protocol] = written.split("/");
  const parts = ports.split(":");
  const guest = Number(parts.pop());
  const host = parts.pop() ?? "";
  return made({
    guest,
    host: host === "" ? null : Number(host),
    address: parts.pop() ?? null,
    protocol: protocol === "udp" ? "udp" : "tcp",
  });
}

function made({ guest, host, address, protocol }: Exclude<CommonForward, number | string>): Forward | null {
  const isPort = (port: number) => Number.isInteger(port) && port >= 1 && port <= 65_535;
  if (!isPort(guest) || (host != null && !isPort(host))) return null;
  const place = canonicalAddress(address ?? DEFAULT_HOST);
  if (!isAddressWithPrefix(`${place}/32`)) return null;
  return { guestPort: guest, protocol: protocol ?? "tcp", host: place, hostPort: host ?? null };
}
