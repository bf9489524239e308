/** Nodes with their room, and the VMs in them. A fleet of hundreds of nodes is drawn as far as it is seen. */
import type { GatewayNodes, NodeRow, VmRow } from "../../report/gateway/page-documents.ts";
import { ofNodes } from "../data/concerns.ts";
import type { FleetVms } from "../data/fleet-vms.ts";
import { useResource } from "../data/resource.ts";
import { Empty, Loading, Trouble } from "../parts/message.tsx";
import { Meter, showCpus, showSize } from "../parts/meter.tsx";
import { Glyph, State, Tag } from "../parts/state.tsx";
import { Since, When } from "../parts/when.tsx";
import { SignsLegend, VmTiles } from "./vm-tiles.tsx";

export function NodesTab({ fleet, vms }: { readonly fleet: string; readonly vms: FleetVms }) {
  const path = `/v1/fleets/${encodeURIComponent(fleet)}/nodes`;
  const { document, refused } = useResource<GatewayNodes>(path, ofNodes(fleet));
  if (document === null) return refused === null ? <Loading what="the nodes" /> : <Trouble refused={refused} />;
  const { nodes, seenAt } = document;
  if (nodes.length === 0)
    return (
      <Empty title="The manifests name no node yet">
        A Node manifest gives a server's name and its agent's address; <code>odorobo doctor</code> tells what the server
        lacks.
      </Empty>
    );
  const homes = Map.groupBy(vms.rows ?? [], ({ node }) => node as string | null);
  const homeless = homes.get(null) ?? [];
  return (
    <>
      <div class="over-list">
        <SignsLegend rows={vms.rows ?? []} />
        <p class="hint">
          Agents were asked <When at={seenAt} />
        </p>
      </div>
      <ul class="nodes">
        {nodes.map((node) => (
          <NodeCard key={node.name} fleet={fleet} node={node} vms={homes.get(node.name) ?? []} />
        ))}
        {homeless.length === 0 ? null : (
          <li class="card node">
            <div class="node-head">
              <h3>On no node</h3>
              <State sign={{ tone: "warn", shape: "cross", word: "absent" }} />
            </div>
            <VmTiles fleet={fleet} rows={homeless} />
          </li>
        )}
      </ul>
    </>
  );
}

interface NodeCardProps {
  readonly fleet: string;
  readonly node: NodeRow;
  readonly vms: readonly VmRow[];
}

function NodeCard({ fleet, node, vms }: NodeCardProps) {
  const isSilent = node.reach === "silent";
  return (
    <li class={isSilent ? "card node is-silent" : "card node"}>
      <div class="node-head">
        <h3>{node.name}</h3>
        {isSilent ? <State sign={{ tone: "unknown", shape: "dashed", word: "silent" }} /> : null}
        {node.fenced ? <Tag tone="bad" text="fenced" title="Somebody says that it is off and stays off" /> : null}
        {node.cordoned ? <Tag tone="warn" text="cordoned" title="Takes no new VMs" /> : null}
        {node.maintenance === null ? null : (
          <Tag
            tone={node.maintenance.isUnderWay ? "warn" : "note"}
            text={node.maintenance.isUnderWay ? "in maintenance" : "maintenance to come"}
          />
        )}
        <span class="hint node-count">
          {node.running} of {node.vms} running
        </span>
      </div>
      {isSilent ? (
        <p class="because">
          {node.since === null ? null : (
            <>
              <Since at={node.since} />:{" "}
            </>
          )}
          {node.error ?? "its agent does not answer"}. What is shown here is what it said last.
        </p>
      ) : null}
      <Room node={node} />
      <VmTiles fleet={fleet} rows={vms} />
      <p class="hint node-foot clip">
        {node.hypervisors.map(({ kind, version }) => `${kind} ${version}`).join(", ")}
        {node.agentVersion === null ? "" : ` · agent ${node.agentVersion}`}
      </p>
    </li>
  );
}

function Room({ node: { used, room } }: { readonly node: NodeRow }) {
  if (used === null || room === null)
    return (
      <p class="hint">
        <Glyph shape="dashed" /> It never said how much it has.
      </p>
    );
  return (
    <div class="meters">
      <Meter label="CPUs" used={used.cpus} of={room.cpus} show={showCpus} />
      <Meter label="Memory" used={used.memoryMiB} of={room.memoryMiB} show={showSize} />
      {used.diskMiB === null || room.diskMiB === null ? null : (
        <Meter label="Disk" used={used.diskMiB} of={room.diskMiB} show={showSize} />
      )}
    </div>
  );
}
