/** What a plan does not do, and why: refused, blocked, waiting for a window, not seen. */
import type { Plan } from "../../plan/plan-document.ts";
import { titleOfBlocked } from "../../report/plan/plan-summary.ts";
import { type Links, Place } from "../parts/place.tsx";
import { Glyph } from "../parts/state.tsx";
import { When } from "../parts/when.tsx";
import { vmHref } from "../route.ts";

interface LeftOutProps {
  readonly plan: Plan;
  readonly fleet: string | null;
  readonly links: Links | null;
}

export function LeftOut({ plan, fleet, links }: LeftOutProps) {
  const { refusals, blocked, waiting = [], unknown, maintenance = [] } = plan;
  const nameOf = (name: string) => (fleet === null ? name : <a href={vmHref(fleet, name)}>{name}</a>);
  return (
    <>
      {refusals.length === 0 ? null : (
        <section class="left-out tone-bad-edge" aria-label="Refused">
          <h2>Refused</h2>
          <ul>
            {refusals.map(({ code, message, hint, source }) => (
              <li key={`${code} ${message}`}>
                <p>
                  <span class="tone-bad">
                    <Glyph shape="cross" />
                  </span>{" "}
                  {message} <code class="code">{code}</code> <Place place={source} links={links} />
                </p>
                <p class="hint">{hint}</p>
              </li>
            ))}
          </ul>
        </section>
      )}
      {maintenance.length === 0 ? null : (
        <ul class="notices">
          {maintenance.map(({ node, text, source }) => (
            <li key={node} class="tone-note">
              <Glyph shape="bars" />
              <span>
                {text} <Place place={source} links={links} />
              </span>
            </li>
          ))}
        </ul>
      )}
      {blocked.length === 0 ? null : (
        <section class="left-out tone-bad-edge" aria-label="Blocked">
          <h2>{titleOfBlocked(plan)}</h2>
          <ul>
            {blocked.map(({ name, code, message, lines, hint, source }) => (
              <li key={name}>
                <p>
                  <strong>{nameOf(name)}</strong>: {lines?.[0] ?? message} <code class="code">{code}</code>{" "}
                  <Place place={source} links={links} />
                </p>
                {lines === undefined || lines.length < 2 ? null : (
                  <ul class="lines">
                    {lines.slice(1).map((line) => (
                      <li key={line}>{line}</li>
                    ))}
                  </ul>
                )}
                <p class="hint">{hint}</p>
              </li>
            ))}
          </ul>
        </section>
      )}
      {waiting.length === 0 ? null : (
        <section class="left-out tone-note-edge" aria-label="Waits for a window">
          <h2>Waits for its window</h2>
          <ul>
            {waiting.map(({ change, window }) => (
              <li key={change.name}>
                <strong>{nameOf(change.name)}</strong>, {change.action} ({change.class}): {window.text}
                {window.opens === null ? null : (
                  <>
                    , opens <When at={window.opens} />
                  </>
                )}{" "}
                <Place place={window.source} links={links} />
              </li>
            ))}
          </ul>
        </section>
      )}
      {unknown.length === 0 ? null : (
        <section class="left-out tone-unknown-edge" aria-label="Unknown">
          <h2>Unknown, and therefore left alone</h2>
          <ul>
            {unknown.slice(0, 50).map(({ kind, name, because, hint }) => (
              <li key={`${kind} ${name}`}>
                <strong>{kind === "VirtualMachine" ? nameOf(name) : name}</strong>: {because}
                {hint === undefined ? null : <span class="hint"> {hint}</span>}
              </li>
            ))}
            {unknown.length > 50 ? <li>and {unknown.length - 50} more</li> : null}
          </ul>
        </section>
      )}
    </>
  );
}
