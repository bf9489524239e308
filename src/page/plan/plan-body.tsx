/** A plan as people judge it: what happens to whom and why, what stays undone, in which order, and how full it gets on the way. */
import type { Plan } from "../../plan/plan-document.ts";
import { describeNothing, summarize } from "../../report/plan/plan-summary.ts";
import type { Links } from "../parts/place.tsx";
import { Changes } from "./changes.tsx";
import { LeftOut } from "./left-out.tsx";
import { Rooms } from "./rooms.tsx";
import { Schedule, type StepStates } from "./schedule.tsx";

interface PlanBodyProps {
  readonly plan: Plan;
  /** The fleet as the gateway calls it: for links to VMs. */
  readonly fleet: string | null;
  readonly links: Links | null;
  /** Of a plan that is being carried out. */
  readonly states?: StepStates;
}

export const PlanBody = ({ plan, fleet, links, states }: PlanBodyProps) => (
  <div class="plan">
    <p class="plan-summary">{plan.changes.length === 0 ? describeNothing(plan) : summarize(plan)}</p>
    <LeftOut plan={plan} fleet={fleet} links={links} />
    <Changes changes={plan.changes} fleet={fleet} links={links} />
    <Schedule plan={plan} states={states} fleet={fleet} />
    <Rooms plan={plan} />
  </div>
);
