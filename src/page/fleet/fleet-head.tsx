/** What there is to know of a fleet before anything else: what is in force, what wants to be, and what is in the way. */
import type { GatewayFleet, ShownRevision } from "../../report/gateway/gateway-documents.ts";
import { plural, showNames } from "../../report/words/names.ts";
import { Commit } from "../parts/commit.tsx";
import { signOfStanding } from "../parts/signs.ts";
import { Glyph, State } from "../parts/state.tsx";
import { Since, When } from "../parts/when.tsx";
import { fleetHref, runHref } from "../route.ts";

export function FleetHead({ fleet }: { readonly fleet: GatewayFleet }) {
  const { name, latest, inForce, waiting, run, vms, revisions } = fleet;
  const force = revisions.find(({ id }) => id === inForce?.revision);
  return (
    <section class="fleet-head" aria-label={`Fleet ${name}`}>
      <div class="head">
        <h1>{name}</h1>
        {vms === null ? null : (
          <p class="hint">
            {vms.running} of {plural(vms.total, "VM")} running
          </p>
        )}
      </div>
      <div class="strip">
        <div class="card strip-card">
          <h2>In force</h2>
          {inForce === null ? (
            <p>Nothing yet</p>
          ) : (
            <p>
              <Commit revision={inForce.revision} commit={inForce.commit} />{" "}
              {force === undefined ? null : (
                <span class="hint">
                  <When at={force.at} />
                </span>
              )}
            </p>
          )}
        </div>
        <div class="card strip-card">
          <h2>Latest</h2>
          {latest === null ? <p>Not read yet</p> : <Latest revision={latest} />}
        </div>
        {run === null ? null : (
          <div class="card strip-card">
            <h2>Run</h2>
            <p>
              <a href={runHref(run.id)}>
                {run.ended} of {plural(run.steps, "step")}
              </a>
            </p>
            <progress max={run.steps} value={run.ended} aria-label="Steps that have ended" />
          </div>
        )}
        {waiting === null ? null : (
          <div class="card strip-card strip-call">
            <h2>Waits for you</h2>
            {waiting.approvedBy === null ? (
              <p>
                <a class="button primary" href={waiting.run === null ? fleetHref(name, "plan") : runHref(waiting.run)}>
                  Review {plural(waiting.changes.length, "change")}
                </a>
              </p>
            ) : (
              <p>Approved by {waiting.approvedBy}, begins soon</p>
            )}
          </div>
        )}
      </div>
      <Notices fleet={fleet} />
    </section>
  );
}

const Latest = ({ revision: { id, commit, standing, because, at, what } }: { readonly revision: ShownRevision }) => (
  <>
    <p>
      <Commit revision={id} commit={commit} /> <State sign={signOfStanding(standing)} />{" "}
      <span class="hint" title={what}>
        <When at={at} />
      </span>
    </p>
    {because === null ? null : (
      <p class="because">
        {because.message}
        {because.hint === null ? null : <span class="hint"> {because.hint}</span>}
      </p>
    )}
  </>
);

function Notices({ fleet: { sourceTrouble, silentNodes, drift, heldBy } }: { readonly fleet: GatewayFleet }) {
  if (sourceTrouble === null && silentNodes.length === 0 && drift.length === 0 && heldBy === null) return null;
  return (
    <ul class="notices">
      {sourceTrouble === null ? null : (
        <li class="tone-bad">
          <Glyph shape="triangle" />
          <span>
            The repository cannot be read <Since at={sourceTrouble.since} />: {sourceTrouble.message}
            {sourceTrouble.hint === null ? null : <span class="hint"> {sourceTrouble.hint}</span>}
          </span>
        </li>
      )}
      {silentNodes.map((node) => (
        <li key={node.name} class="tone-unknown">
          <Glyph shape="dashed" />
          <span>
            {node.name} is silent <Since at={node.since} />: its VMs are unknown, and left alone
          </span>
        </li>
      ))}
      {drift.length === 0 ? null : (
        <li class="tone-warn">
          <Glyph shape="half" />
          <span>
            {plural(drift.length, "VM")} {drift.length === 1 ? "differs" : "differ"} from what was applied:{" "}
            {showNames(drift).slice(0, 300)}
          </span>
        </li>
      )}
      {heldBy === null ? null : (
        <li class="tone-warn">
          <Glyph shape="bars" />
          <span>{heldBy} has the fleet: nothing is begun here meanwhile</span>
        </li>
      )}
    </ul>
  );
}
