/** The steps of a plan in time. Where moves were predicted the axis is seconds; else it is the order: what stands in one column may run side by side. */

import { useState } from "preact/hooks";
import type { Plan } from "../../plan/plan-document.ts";
import { toWaves } from "../../report/plan/schedule-text.ts";
import { showClock } from "../../report/plan/show-clock.ts";
import { plural } from "../../report/words/names.ts";
import { showMilliseconds, showRoughMiB } from "../../report/words/values.ts";
import { describeStep, type Step } from "../../schedule/step.ts";
import { CLASS_TONES, STEP_SIGNS, type StepState } from "../parts/signs.ts";
import { Glyph, Tag } from "../parts/state.tsx";
import { stopwatch } from "../parts/time-words.ts";
import { Counting } from "../parts/when.tsx";

export interface StepNow {
  readonly state: StepState;
  /** Of one that is under way. */
  readonly since: string | null;
  /** Of one that has ended. */
  readonly milliseconds: number | null;
  /** Why it failed or was skipped, or what went wrong beside it. */
  readonly said: string | null;
}

export type StepStates = ReadonlyMap<string, StepNow>;

interface ScheduleProps {
  readonly plan: Plan;
  readonly fleet: string | null;
  readonly states: StepStates | undefined;
}

interface Placed {
  readonly step: Step;
  /** In units of the axis. */
  readonly start: number;
  readonly end: number;
  readonly memoryMiB: number | null;
  readonly downtimeMs: number | null;
}

const MOST_AT_FIRST = 150;

export function Schedule({ plan, states }: ScheduleProps) {
  const [most, setMost] = useState(MOST_AT_FIRST);
  if (plan.steps.length === 0) return null;
  const { rows, end, isInSeconds } = place(plan);
  const shown = rows.slice(0, most);
  return (
    <section aria-label="Schedule">
      <h2>In which order</h2>
      <p class="hint">
        {plural(plan.steps.length, "step")}
        {isInSeconds
          ? `, about ${showClock(end)} in all${plan.times?.links === "stated" ? "" : ", for links of the usual speed"}`
          : `; what begins at the same place may run side by side`}
      </p>
      <ol class="steps" aria-label="Steps">
        {isInSeconds ? (
          <li class="step step-axis" aria-hidden="true">
            <span />
            <span class="axis">
              {[0, 0.25, 0.5, 0.75, 1].map((share) => (
                <span key={share} style={{ left: `${share * 100}%` }}>
                  {showClock(end * share)}
                </span>
              ))}
            </span>
          </li>
        ) : null}
        {shown.map((row) => (
          <StepRow key={row.step.id} row={row} end={end} isInSeconds={isInSeconds} now={states?.get(row.step.id)} />
        ))}
      </ol>
      {rows.length > most ? (
        <button type="button" onClick={() => setMost(most + 1_000)}>
          {plural(rows.length - most, "more step", "more steps")}
        </button>
      ) : null}
    </section>
  );
}

interface StepRowProps {
  readonly row: Placed;
  readonly end: number;
  readonly isInSeconds: boolean;
  readonly now: StepNow | undefined;
}

function StepRow({ row: { step, start, end: until, memoryMiB, downtimeMs }, end, isInSeconds, now }: StepRowProps) {
  const sign = now === undefined ? null : STEP_SIGNS[now.state];
  const title = describeStep(step);
  const times = isInSeconds ? `${showClock(start)} to ${showClock(until)}` : null;
  const moves =
    memoryMiB === null
      ? null
      : `${showRoughMiB(memoryMiB)}${downtimeMs === null || downtimeMs === 0 ? "" : `, stands still ${showMilliseconds(downtimeMs)}`}`;
  return (
    <li class={now === undefined ? "step" : `step step-${now.state}`} data-step={step.id}>
      <span class="step-words">
        {sign === null ? null : (
          <span class={`state tone-${sign.tone}`} title={sign.word}>
            <Glyph shape={sign.shape} />
            <span class="unseen">{sign.word}: </span>
          </span>
        )}
        <span class="step-title">{title}</span>
        <Tag tone={CLASS_TONES[step.class]} text={step.class} />
        {moves === null ? null : <span class="hint">{moves}</span>}
        {now?.state === "in-flight" && now.since !== null ? <Counting since={now.since} /> : null}
        {now?.milliseconds == null || now.state === "skipped" ? null : (
          <span class="hint number">{stopwatch(now.milliseconds)}</span>
        )}
        {times === null ? null : <span class="unseen">, {times}</span>}
      </span>
      <span class="lane" aria-hidden="true" title={times ?? undefined}>
        <span
          class={`bar tone-${sign?.tone ?? CLASS_TONES[step.class]}`}
          style={{ left: `${(start / end) * 100}%`, width: `${Math.max(0.8, ((until - start) / end) * 100)}%` }}
        />
      </span>
      {now?.said == null ? null : <p class="step-said">{now.said}</p>}
    </li>
  );
}

/** Steps that are no moves take a moment: they stand where what they wait for ends. */
function place(plan: Plan): { readonly rows: readonly Placed[]; readonly end: number; readonly isInSeconds: boolean } {
  const { times, steps } = plan;
  if (times === undefined) {
    const waves = toWaves(steps);
    const at = new Map(waves.flatMap((wave, index) => wave.map(({ id }) => [id, index] as const)));
    const rows = steps.map((step) => ({
      step,
      start: at.get(step.id) ?? 0,
      end: (at.get(step.id) ?? 0) + 1,
      memoryMiB: null,
      downtimeMs: null,
    }));
    return { rows: rows.toSorted((a, b) => a.start - b.start), end: Math.max(1, waves.length), isInSeconds: false };
  }
  const moves = new Map(times.moves.map((move) => [move.step, move]));
  const ends = new Map<string, number>();
  const rows = steps.map((step): Placed => {
    const move = moves.get(step.id);
    const start = move?.startSeconds ?? Math.max(0, ...step.after.map((id) => ends.get(id) ?? 0));
    const end = move?.endSeconds ?? start;
    ends.set(step.id, end);
    return { step, start, end, memoryMiB: move?.memoryMiB ?? null, downtimeMs: move?.downtimeMs ?? null };
  });
  const end = Math.max(1, times.makespanSeconds, ...ends.values());
  return { rows: rows.toSorted((a, b) => a.start - b.start || a.end - b.end), end, isInSeconds: true };
}
