/** One fleet: what stands over it, and its nodes, VMs, plan and revisions. */
import type { GatewayFleet } from "../../report/gateway/gateway-documents.ts";
import { ofFleet } from "../data/concerns.ts";
import { useFleetVms } from "../data/fleet-vms.ts";
import { useResource } from "../data/resource.ts";
import { FleetHead } from "../fleet/fleet-head.tsx";
import { NodesTab } from "../fleet/nodes-tab.tsx";
import { PlanTab } from "../fleet/plan-tab.tsx";
import { RevisionsTab } from "../fleet/revisions-tab.tsx";
import { Loading, Trouble } from "../parts/message.tsx";
import { type Shortcut, useShortcuts } from "../parts/shortcuts.ts";
import { Tabs } from "../parts/tabs.tsx";
import { type FleetTab, fleetHref, goTo } from "../route.ts";
import { VmsTab } from "../vms/vms-tab.tsx";

export function FleetView({ fleet, tab }: { readonly fleet: string; readonly tab: FleetTab }) {
  const path = `/v1/fleets/${encodeURIComponent(fleet)}`;
  const { document, refused } = useResource<GatewayFleet>(path, ofFleet(fleet));
  const vms = useFleetVms(fleet);
  const keys: readonly (readonly [string, FleetTab, string])[] = [
    ["n", "nodes", "nodes"],
    ["v", "vms", "VMs"],
    ["p", "plan", "plan"],
    ["h", "history", "revisions"],
  ];
  useShortcuts(
    keys.map(
      ([keys, to, name]): Shortcut => ({ keys, what: `the fleet's ${name}`, act: () => goTo(fleetHref(fleet, to)) }),
    ),
  );
  if (document === null)
    return refused === null ? <Loading what={`the fleet ${fleet}`} /> : <Trouble refused={refused} what={fleet} />;
  return (
    <div class={tab === "vms" ? "fleet fills" : "fleet"}>
      <FleetHead fleet={document} />
      <Tabs
        label={`Of ${fleet}`}
        current={tab}
        tabs={[
          { key: "nodes", title: "Nodes", href: fleetHref(fleet) },
          { key: "vms", title: "VMs", href: fleetHref(fleet, "vms"), count: vms.rows?.length },
          { key: "plan", title: "Plan", href: fleetHref(fleet, "plan"), count: document.waiting?.changes.length },
          { key: "history", title: "Revisions", href: fleetHref(fleet, "history"), count: document.revisions.length },
        ]}
      />
      {tab === "nodes" ? <NodesTab fleet={fleet} vms={vms} /> : null}
      {tab === "vms" ? <VmsTab fleet={fleet} vms={vms} /> : null}
      {tab === "plan" ? <PlanTab fleet={document} /> : null}
      {tab === "history" ? <RevisionsTab fleet={document} /> : null}
    </div>
  );
}
