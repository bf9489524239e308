/** All fleets of this gateway, each with what it is at. */
import type { GatewayFleetList, GatewayFleetSummary } from "../../report/gateway/gateway-documents.ts";
import { plural } from "../../report/words/names.ts";
import { useResource } from "../data/resource.ts";
import { Commit } from "../parts/commit.tsx";
import { Empty, Loading, Trouble } from "../parts/message.tsx";
import { signOfStanding } from "../parts/signs.ts";
import { State, Tag } from "../parts/state.tsx";
import { Since, When } from "../parts/when.tsx";
import { fleetHref, runHref } from "../route.ts";

export function FleetsView() {
  const { document, refused } = useResource<GatewayFleetList>("/v1/fleets", () => true);
  if (document === null) return refused === null ? <Loading what="the fleets" /> : <Trouble refused={refused} />;
  const { fleets, gateway } = document;
  return (
    <div>
      <div class="head">
        <h1>Fleets</h1>
        <p class="hint">
          odorobo {gateway.version}, up <Since at={gateway.since} />
          <Leader gateway={gateway} />
        </p>
      </div>
      {fleets.length === 0 ? (
        <Empty title="This gateway has no fleets yet">
          Name a repository in its gateway.yaml: <code>odorobo gateway check</code> tells whether it will do.
        </Empty>
      ) : (
        <ul class="fleets">
          {fleets.map((fleet) => (
            <FleetCard key={fleet.name} fleet={fleet} />
          ))}
        </ul>
      )}
    </div>
  );
}

/** Of gateways that stand in for one another. */
interface Cluster {
  readonly mode: string;
  readonly leads?: boolean;
  readonly leader?: string | null;
  readonly since?: string;
}

function Leader({ gateway }: { readonly gateway: GatewayFleetList["gateway"] & { readonly leader?: Cluster } }) {
  const cluster = gateway.leader;
  if (cluster === undefined || cluster.mode !== "cluster") return null;
  return (
    <>
      {" · "}
      {cluster.leads
        ? "this gateway leads"
        : cluster.leader
          ? `${cluster.leader} leads, this one stands by`
          : "nobody leads"}
      {cluster.since === undefined ? null : (
        <>
          {" "}
          <Since at={cluster.since} />
        </>
      )}
    </>
  );
}

function FleetCard({ fleet }: { readonly fleet: GatewayFleetSummary }) {
  const { name, latest, inForce, waiting, run, silentNodes, drift, sourceTrouble, notReadyBecause, heldBy } = fleet;
  return (
    <li class="card fleet-card">
      <div class="fleet-card-head">
        <h2>
          <a href={fleetHref(name)}>{name}</a>
        </h2>
        {latest === null ? (
          <State sign={{ tone: "busy", shape: "arrow", word: "not read yet" }} />
        ) : (
          <State sign={signOfStanding(latest.standing)} />
        )}
      </div>
      <p class="hint clip" title={fleet.repository.url}>
        {fleet.repository.url}
        {fleet.repository.ref === null ? "" : ` at ${fleet.repository.ref}`}
      </p>
      <dl class="facts">
        <div>
          <dt>In force</dt>
          <dd>{inForce === null ? "nothing yet" : <Commit revision={inForce.revision} commit={inForce.commit} />}</dd>
        </div>
        {latest === null || latest.id === inForce?.revision ? null : (
          <div>
            <dt>Latest</dt>
            <dd>
              <Commit revision={latest.id} commit={latest.commit} />, <When at={latest.at} />
            </dd>
          </div>
        )}
      </dl>
      {waiting === null ? null : (
        <p class="call">
          <a class="button primary" href={waiting.run === null ? fleetHref(name, "plan") : runHref(waiting.run)}>
            Review {plural(waiting.changes.length, "change")}
          </a>
        </p>
      )}
      <div class="tags">
        {run === null ? null : (
          <a href={runHref(run.id)}>
            <Tag tone="busy" text={`run: ${run.ended} of ${run.steps} steps`} />
          </a>
        )}
        {silentNodes.length === 0 ? null : (
          <Tag
            tone="unknown"
            text={`${plural(silentNodes.length, "node")} silent`}
            title={silentNodes.map((node) => node.name).join(", ")}
          />
        )}
        {drift.length === 0 ? null : <Tag tone="warn" text={`drift: ${drift.length}`} title={drift.join(", ")} />}
        {heldBy === null ? null : <Tag tone="warn" text="held by somebody else" title={heldBy} />}
        {sourceTrouble === null ? null : <Tag tone="bad" text="repository unreachable" title={sourceTrouble.message} />}
      </div>
      {notReadyBecause === null ? null : (
        <p class="because">
          {notReadyBecause.message}
          {notReadyBecause.hint === null ? null : <span class="hint"> {notReadyBecause.hint}</span>}
        </p>
      )}
    </li>
  );
}
