/**
 * Whom this node has heard from on its bridges: the kernel's neighbour table, by which a guest that asked another DHCP server for its
 * address can be found. It knows a guest after one packet between the two, and forgets in its own time.
 */
import type { GuestAddress } from "../../model/observed-state.ts";
import type { Nic } from "../../model/vm-spec.ts";
import type { Clock } from "../../platform/clock.ts";

export interface Neighbour {
  readonly address: string;
  readonly device: string;
  /** Lower case. */
  readonly mac: string;
}

/** An agent is asked for its report every few seconds, and by several. */
const KNOWN_MS = 5_000;
const PATIENCE_MS = 2_000;
/** A guest may take as many addresses as it likes: more of one NIC's than this are of no use to people. */
const ADDRESSES_AT_MOST = 8;

/** What is known at once, and looked at anew behind whoever asks: nobody waits for it. */
export class Neighbours {
  readonly #list: (signal: AbortSignal) => Promise<readonly Neighbour[]>;
  readonly #clock: Clock;
  #known: readonly Neighbour[] = [];
  #askedAtMs = Number.NEGATIVE_INFINITY;
  /** The look that is under way, or the last one: never rejects. */
  look: Promise<void> = Promise.resolve();

  constructor(list: (signal: AbortSignal) => Promise<readonly Neighbour[]>, clock: Clock) {
    this.#list = list;
    this.#clock = clock;
  }

  /** Only NICs on bridges of the node have any. Sorted, so that the same table reads the same. */
  of(nics: readonly Nic[], stopping: AbortSignal): readonly GuestAddress[] {
    const bridged = nics.filter(({ attachment }) => attachment.kind === "bridge");
    if (bridged.length === 0) return [];
    this.#lookAgain(stopping);
    return bridged.flatMap(({ name, mac, attachment }) => {
      const device = attachment.kind === "bridge" ? attachment.bridge : "";
      const heard = this.#known.filter((each) => each.mac === mac && each.device === device);
      const addresses = [...new Set(heard.map(({ address }) => address))].sort().slice(0, ADDRESSES_AT_MOST);
      return addresses.map((address) => ({ address, source: "neighbour", nic: name }) as const);
    });
  }

  #lookAgain(stopping: AbortSignal): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#askedAtMs < KNOWN_MS || stopping.aborted) return;
    this.#askedAtMs = now;
    this.look = this.#list(AbortSignal.any([stopping, AbortSignal.timeout(PATIENCE_MS)])).then(
      (list) => {
        this.#known = list;
      },
      () => {
        // A node without `ip`, or a busy one: what was known stands until it can be asked again.
      },
    );
  }
}

/** Of `ip -j neigh`. What has no MAC address was never heard; link-local addresses mean nothing without their device. */
export function parseNeighbours(text: string): readonly Neighbour[] {
  const list = JSON.parse(text === "" ? "[]" : text) as readonly {
    readonly dst?: string;
    readonly dev?: string;
    readonly lladdr?: string;
    readonly state?: readonly string[];
  }[];
  return list.flatMap(({ dst, dev, lladdr, state = [] }) =>
    dst === undefined || dev === undefined || lladdr === undefined || state.includes("FAILED") || /^fe80:/i.test(dst)
      ? []
      : [{ address: dst, device: dev, mac: lladdr.toLowerCase() }],
  );
}
