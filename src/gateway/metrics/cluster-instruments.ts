/** Of a gateway that shares an etcd with others: whether it leads, and how sure of it it is. */
import { Gauge, type Registry } from "prom-client";

export interface FollowedCluster {
  readonly leads: boolean;
  readonly leader: { readonly term: number } | null;
  readonly leaseAgeMs: number | null;
}

export type ClusterInstruments = ReturnType<typeof makeClusterInstruments>;

export function makeClusterInstruments(registry: Registry) {
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `odorobo_gateway_${name}`, help, registers: [registry] });
  return {
    leads: gauge("leader", "1: this gateway leads its cluster. Of all gateways together it is 1, but for a takeover."),
    term: gauge("leader_term", "The term of whoever leads, as last seen; 0: nobody does."),
    age: gauge("lease_age_seconds", "Since this gateway's lease was last renewed; -1: it has none."),
  };
}

export function refreshCluster({ leads, term, age }: ClusterInstruments, cluster: FollowedCluster): void {
  leads.set(cluster.leads ? 1 : 0);
  term.set(cluster.leader?.term ?? 0);
  age.set(cluster.leaseAgeMs === null ? -1 : cluster.leaseAgeMs / 1_000);
}
