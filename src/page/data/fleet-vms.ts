/**
 * All VMs of one fleet, kept up by what changed: a fleet of ten thousand is read once and then followed. What does not follow on what is
 * known is read anew.
 */
import { type Signal, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { byName } from "../../model/names.ts";
import type { FleetNews, GatewayVms, VmRow } from "../../report/gateway/page-documents.ts";
import { get, type Refused, refusedBy } from "./http.ts";
import { onEvent } from "./live.ts";

export interface FleetVms {
  readonly tag: string | null;
  /** When the agents were asked. */
  readonly seenAt: string | null;
  /** Null: nothing came yet. Sorted by name. */
  readonly rows: readonly VmRow[] | null;
  readonly refused: Refused | null;
}

const NOTHING: FleetVms = { tag: null, seenAt: null, rows: null, refused: null };

class Follower {
  readonly fleet: string;
  readonly vms: Signal<FleetVms> = signal(NOTHING);
  #isReading = false;
  #isDue = false;

  constructor(fleet: string) {
    this.fleet = fleet;
  }

  hear(news: (FleetNews & { readonly at: string }) | null): void {
    const { tag, rows } = this.vms.value;
    if (news === null || news.vms === null || news.since !== tag || rows === null) this.read();
    else this.vms.value = { tag: news.tag, seenAt: news.at, rows: merge(rows, news.vms, news.gone), refused: null };
  }

  read(): void {
    this.#isDue = true;
    if (!this.#isReading) void this.#readWhileDue();
  }

  async #readWhileDue(): Promise<void> {
    this.#isReading = true;
    while (this.#isDue) {
      this.#isDue = false;
      const { tag, rows } = this.vms.value;
      try {
        const query = tag === null ? "" : `?since=${encodeURIComponent(tag)}`;
        const told = await get<GatewayVms>(`/v1/fleets/${encodeURIComponent(this.fleet)}/vms${query}`);
        const whole = told.since === null || rows === null ? told.vms : merge(rows, told.vms, told.gone);
        this.vms.value = { tag: told.tag, seenAt: told.seenAt, rows: whole, refused: null };
      } catch (error) {
        const refused = refusedBy(error);
        const isGone = refused.status === 404 || refused.status === 403;
        this.vms.value = isGone ? { ...NOTHING, refused } : { ...this.vms.value, refused };
      }
    }
    this.#isReading = false;
  }
}

/** Both sorted by name. */
function merge(rows: readonly VmRow[], changed: readonly VmRow[], gone: readonly string[]): readonly VmRow[] {
  if (changed.length === 0 && gone.length === 0) return rows;
  const byTheirName = new Map<string, VmRow>(rows.map((row) => [row.name, row]));
  for (const row of changed) byTheirName.set(row.name, row);
  for (const name of gone) byTheirName.delete(name);
  return [...byTheirName.values()].sort((a, b) => byName(a.name, b.name));
}

/** Of the fleet that was looked at last: another's ten thousand are let go of. */
let last: Follower | null = null;

export function forgetVms(): void {
  if (last !== null) last.vms.value = NOTHING;
}

export function useFleetVms(fleet: string): FleetVms {
  if (last?.fleet !== fleet) last = new Follower(fleet);
  const follower = last;
  useEffect(() => {
    follower.read();
    return onEvent((event) => {
      if (event === null) follower.hear(null);
      else if (event.fleet === fleet && event.event === "fleet") follower.hear(event);
    });
  }, [follower, fleet]);
  return follower.vms.value;
}
