/** Which commits changed it, and which runs carried that out. */
import type { GatewayVmHistory, HistoryEntry, HistoryRun } from "../../report/gateway/page-documents.ts";
import { useResource } from "../data/resource.ts";
import { Commit } from "../parts/commit.tsx";
import { Empty, Loading, Trouble } from "../parts/message.tsx";
import { webAddress } from "../parts/place.tsx";
import { signOfStanding, signOfStatus, type Tone } from "../parts/signs.ts";
import { State, Tag } from "../parts/state.tsx";
import { When } from "../parts/when.tsx";
import { runHref } from "../route.ts";

export function HistoryTab({ path }: { readonly path: string }) {
  const { document, refused } = useResource<GatewayVmHistory>(
    `${path}/history`,
    ({ event }) => event === "run-ended" || event === "revision",
  );
  if (document === null) return refused === null ? <Loading what="its history" /> : <Trouble refused={refused} />;
  const { entries, runs, isComplete, because } = document;
  return (
    <div class="history">
      <section aria-label="Commits">
        <h2>What was written</h2>
        {because === null ? null : (
          <p class="because">
            {because.message} <span class="hint">{because.hint}</span>
          </p>
        )}
        {entries.length === 0 ? (
          <Empty title="No commit that changed it is known" />
        ) : (
          <ol class="timeline" aria-label="Commits, latest first">
            {entries.map((entry) => (
              <EntryItem key={`${entry.commit} ${entry.at} ${entry.what}`} entry={entry} />
            ))}
          </ol>
        )}
        {isComplete ? null : <p class="hint">There is more than was looked at: git log has it.</p>}
      </section>
      <section aria-label="Runs">
        <h2>What was done</h2>
        {runs.length === 0 ? (
          <Empty title="No run that is kept has touched it" />
        ) : (
          <ol class="timeline" aria-label="Runs, latest first">
            {runs.map((run) => (
              <RunItem key={run.id} run={run} />
            ))}
          </ol>
        )}
      </section>
    </div>
  );
}

const WHAT_TONES: Readonly<Record<HistoryEntry["what"], Tone>> = {
  first: "off",
  added: "good",
  changed: "note",
  removed: "bad",
  unreadable: "bad",
};

const EntryItem = ({
  entry: { commit, at, subject, author, link, what, fields, revision },
}: {
  readonly entry: HistoryEntry;
}) => (
  <li>
    <p>
      <Commit revision="not in git" commit={commit} link={webAddress(link)} />{" "}
      <Tag tone={WHAT_TONES[what]} text={what === "first" ? "first known" : what} /> <span class="text">{subject}</span>
    </p>
    {fields.length === 0 ? null : (
      <p class="fields">
        {fields.map((field) => (
          <code key={field}>{field}</code>
        ))}
      </p>
    )}
    <p class="hint">
      {author === null ? "" : `${author}, `}
      <When at={at} />
      {revision === null ? null : (
        <>
          {" · "}
          <State sign={signOfStanding(revision.standing)} />
        </>
      )}
    </p>
  </li>
);

const RunItem = ({ run: { id, at, by, approvedBy, status, steps } }: { readonly run: HistoryRun }) => (
  <li>
    <p>
      <a href={runHref(id)}>{id}</a> <State sign={signOfStatus(status)} />
    </p>
    <ul class="lines">
      {steps.map(({ title, outcome }) => (
        <li key={title}>
          {title} <span class="hint">{outcome ?? "not begun"}</span>
        </li>
      ))}
    </ul>
    <p class="hint">
      {approvedBy === null ? `by ${by}` : `approved by ${approvedBy}`}, <When at={at} />
    </p>
  </li>
);
