/** What it is beside what it should be, and what the last plan would do about the difference. */
import type { GatewayVm } from "../../report/gateway/page-documents.ts";
import { showDifference } from "../../report/words/values.ts";
import { Commit, CopyButton } from "../parts/commit.tsx";
import { linksOf, Place, webAddress } from "../parts/place.tsx";
import { Glyph, Tag } from "../parts/state.tsx";
import { Since, When } from "../parts/when.tsx";
import { ChangeItem } from "../plan/changes.tsx";
import { SpecTable } from "./spec-table.tsx";

export function NowTab({ vm }: { readonly vm: GatewayVm }) {
  const { live, desired, drift, pending, unreadable, row } = vm;
  return (
    <div class="vm-now">
      <ul class="notices">
        {live?.silentSince == null ? null : (
          <li class="tone-unknown">
            <Glyph shape="dashed" />
            <span>
              {live.node} is silent <Since at={live.silentSince} />. What it runs now nobody knows; this is what it said
              last.
            </span>
          </li>
        )}
        {unreadable === null ? null : (
          <li class="tone-bad">
            <Glyph shape="cross" />
            <span>Its record on the node cannot be read: {unreadable}</span>
          </li>
        )}
        {live?.report.reason == null ? null : (
          <li class="tone-note">
            <Glyph shape="half" />
            <span>{live.report.reason}</span>
          </li>
        )}
        {drift.map(({ path, applied, live: runs }) => (
          <li key={path} class="tone-warn">
            <Glyph shape="half" />
            <span>
              Somebody else changed it: <code class="difference">{showDifference(path, applied, runs).join("; ")}</code>
            </span>
          </li>
        ))}
        {pending.map(({ path, since, held }) => (
          <li key={path} class="tone-note">
            <Glyph shape="bars" />
            <span>
              {path} was applied <When at={since} /> and waits for{" "}
              {held ? "the guest to let go of it" : "its next boot"}
            </span>
          </li>
        ))}
      </ul>
      <PlanOfVm vm={vm} />
      <section aria-label="Facts">
        <dl class="facts facts-row">
          <div>
            <dt>Written in</dt>
            <dd>
              {desired === null ? (
                "no manifest"
              ) : desired.source === null ? (
                "the manifests"
              ) : webAddress(desired.source.link) === null ? (
                <code class="place">
                  {desired.source.file}:{desired.source.line}
                </code>
              ) : (
                <a class="place" href={desired.source.link ?? ""} rel="noreferrer">
                  {desired.source.file}:{desired.source.line}
                </a>
              )}
            </dd>
          </div>
          {live === null ? null : (
            <div>
              <dt>Applied</dt>
              <dd>
                <Commit revision="outside of git" commit={live.report.commit} /> <When at={live.report.appliedAt} />
              </dd>
            </div>
          )}
          {row.addresses.map(({ address, source }) => (
            <div key={`${address} ${source}`}>
              <dt>Address</dt>
              <dd>
                <code>{address}</code> <span class="hint">{source}</span>{" "}
                <CopyButton text={address.replace(/\/\d+$/, "")} what={address} />
              </dd>
            </div>
          ))}
          {row.group === null ? null : (
            <div>
              <dt>Group</dt>
              <dd>{row.group}</dd>
            </div>
          )}
        </dl>
      </section>
      <SpecTable vm={vm} />
    </div>
  );
}

function PlanOfVm({ vm: { plan, links: forge, fleet, desired } }: { readonly vm: GatewayVm }) {
  const { change, waiting, blocked, unknown } = plan;
  const links = linksOf(forge, desired?.commit ?? null);
  if (change === null && waiting === null && blocked === null && unknown === null) return null;
  return (
    <section class="card" aria-label="What the plan does">
      <h2>What the plan does with it</h2>
      {change === null ? null : (
        <ul class="changes">
          <ChangeItem change={change} fleet={fleet} links={links} />
        </ul>
      )}
      {waiting === null ? null : (
        <p>
          <Tag tone="note" text="waits" /> {waiting.change.action} ({waiting.change.class}): {waiting.window.text}{" "}
          <Place place={waiting.window.source} links={links} />
        </p>
      )}
      {blocked === null ? null : (
        <p>
          <Tag tone="bad" text="blocked" /> {blocked.message} <code class="code">{blocked.code}</code>{" "}
          <span class="hint">{blocked.hint}</span>
        </p>
      )}
      {unknown === null ? null : (
        <p>
          <Tag tone="unknown" text="unknown" /> {unknown.because}
        </p>
      )}
    </section>
  );
}
