/** What befell it, as its agent noted it. */
import type { GatewayVmEvents } from "../../report/gateway/page-documents.ts";
import { type Concerns, useResource } from "../data/resource.ts";
import { Empty, Loading, Trouble } from "../parts/message.tsx";
import { When } from "../parts/when.tsx";

export function EventsTab({ path, concerns }: { readonly path: string; readonly concerns: Concerns }) {
  const { document, refused } = useResource<GatewayVmEvents>(`${path}/events`, concerns);
  if (document === null) return refused === null ? <Loading what="its events" /> : <Trouble refused={refused} />;
  if (document.events.length === 0)
    return <Empty title="Nothing has happened to it yet">What its agent or its guest does is noted here.</Empty>;
  return (
    <>
      <ol class="events" aria-label="Events, latest first">
        {document.events.toReversed().map(({ at, kind, message }) => (
          <li key={`${at} ${kind} ${message}`}>
            <span class="hint">
              <When at={at} />
            </span>
            <code class="event-kind">{kind}</code>
            <span class="text">{message}</span>
          </li>
        ))}
      </ol>
      {document.isComplete ? null : <p class="hint">Older ones are not kept, or were not asked for.</p>}
    </>
  );
}
