import { plural } from "../../report/words/names.ts";
import type { StepStates } from "../plan/schedule.tsx";
import { countSteps } from "./step-states.ts";

interface ProgressProps {
  readonly states: StepStates;
  readonly total: number;
  readonly isOver: boolean;
}

export function Progress({ states, total, isOver }: ProgressProps) {
  const { done, failed, skipped, inFlight } = countSteps(states);
  const words = [
    `${done} of ${plural(total, "step")} done`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ...(inFlight > 0 ? [`${inFlight} under way`] : []),
    ...(isOver && done + failed + skipped < total ? [`${total - done - failed - skipped} never begun`] : []),
  ].join(", ");
  const share = (count: number) => ({ width: `${total === 0 ? 0 : (count / total) * 100}%` });
  return (
    <div
      class="progress"
      role="progressbar"
      aria-label="Progress"
      aria-valuemin={0}
      aria-valuemax={total}
      aria-valuenow={done}
      aria-valuetext={words}
    >
      <span class="progress-bar" aria-hidden="true">
        <span class="bar tone-good" style={share(done)} />
        <span class="bar tone-bad" style={share(failed)} />
        <span class="bar tone-off" style={share(skipped)} />
        <span class="bar tone-busy is-moving" style={share(inFlight)} />
      </span>
      <span class="progress-words">{words}</span>
    </div>
  );
}
