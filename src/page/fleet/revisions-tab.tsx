/** Which revisions there were, and how far each has come. Latest first. */
import type { GatewayFleet } from "../../report/gateway/gateway-documents.ts";
import { Commit } from "../parts/commit.tsx";
import { Empty } from "../parts/message.tsx";
import { signOfStanding } from "../parts/signs.ts";
import { State, Tag } from "../parts/state.tsx";
import { When } from "../parts/when.tsx";

export function RevisionsTab({ fleet: { revisions, inForce } }: { readonly fleet: GatewayFleet }) {
  if (revisions.length === 0)
    return <Empty title="No revision was read yet">Push a commit, or see what stands above.</Empty>;
  return (
    <ol class="revisions" aria-label="Revisions, latest first">
      {revisions.map(({ id, what, commit, standing, because, at, heldBelow }) => (
        <li key={id} class="revision">
          <State sign={signOfStanding(standing)} />
          <div>
            <p>
              <Commit revision={id} commit={commit} /> <span class="hint">{what}</span>{" "}
              {id === inForce?.revision ? <Tag tone="good" text="in force" /> : null}
            </p>
            {because === null ? null : (
              <p class="because">
                {because.message}
                {because.hint === null ? null : <span class="hint"> {because.hint}</span>}
              </p>
            )}
            {heldBelow === null ? null : <p class="because">The gateway's ceiling: {heldBelow}</p>}
          </div>
          <span class="hint">
            <When at={at} />
          </span>
        </li>
      ))}
    </ol>
  );
}
