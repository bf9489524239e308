/** The plan that was made last: what waits for an answer, or what would be done about what differs. */
import type { Plan } from "../../plan/plan-document.ts";
import type { GatewayFleet } from "../../report/gateway/gateway-documents.ts";
import { describeBase } from "../../report/plan/plan-summary.ts";
import { ofPlan } from "../data/concerns.ts";
import { useResource } from "../data/resource.ts";
import { Empty, Loading, Trouble } from "../parts/message.tsx";
import { linksOf } from "../parts/place.tsx";
import { PlanBody } from "../plan/plan-body.tsx";
import { runHref } from "../route.ts";

export function PlanTab({ fleet: { name, waiting, links } }: { readonly fleet: GatewayFleet }) {
  const path = `/v1/fleets/${encodeURIComponent(name)}/plan`;
  const { document, refused } = useResource<Plan>(path, ofPlan(name));
  if (document === null) {
    if (refused === null) return <Loading what="the plan" />;
    if (refused.status !== 404) return <Trouble refused={refused} />;
    return (
      <Empty title="No plan yet">
        {refused.message}. {refused.hint ?? "A plan is made as soon as a revision is read."}
      </Empty>
    );
  }
  return (
    <>
      {waiting?.run != null && waiting.plan === document.id ? (
        <p class="call">
          This plan waits for an answer.{" "}
          <a class="button primary" href={runHref(waiting.run)}>
            Approve or refuse
          </a>
        </p>
      ) : null}
      <PlanBody plan={document} fleet={name} links={linksOf(links, document.base.commit)} />
      <p class="hint">From {describeBase(document)}.</p>
    </>
  );
}
