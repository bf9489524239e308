/** One run: what it would do while it waits for an answer, what it does while it runs, what it did. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Plan } from "../../plan/plan-document.ts";
import type { GatewayFleet, GatewayFleetList } from "../../report/gateway/gateway-documents.ts";
import type { RunDocument } from "../../report/run-document.ts";
import { plural } from "../../report/words/names.ts";
import { statusOf } from "../../run/state.ts";
import { never, ofPlan, ofRun } from "../data/concerns.ts";
import type { Refused } from "../data/http.ts";
import { refresh, useResource } from "../data/resource.ts";
import { announce } from "../parts/announce.tsx";
import { Commit } from "../parts/commit.tsx";
import { Loading, Trouble } from "../parts/message.tsx";
import { linksOf } from "../parts/place.tsx";
import { signOfStatus } from "../parts/signs.ts";
import { State } from "../parts/state.tsx";
import { When } from "../parts/when.tsx";
import { PlanBody } from "../plan/plan-body.tsx";
import { fleetHref, runHref } from "../route.ts";
import { Answer } from "../runs/answer.tsx";
import { useRunJournal } from "../runs/follow-run.ts";
import { Orders } from "../runs/orders.tsx";
import { Progress } from "../runs/progress.tsx";
import { stepStates } from "../runs/step-states.ts";

export function RunView({ run }: { readonly run: string }) {
  const path = `/v1/runs/${encodeURIComponent(run)}`;
  const { document, refused } = useResource<RunDocument>(path, ofRun(run));
  const { document: plan, refused: planRefused } = useResource<Plan>(`${path}/plan`, never);
  const fleets = useResource<GatewayFleetList>("/v1/fleets", never).document?.fleets;
  // It outlives the question: whoever came second has to learn that somebody was first.
  const [notTaken, setNotTaken] = useState<Refused | null>(null);
  const followed = useRunJournal(run, () => refresh(path)).value;
  const fleet = fleets?.find((each) => each.fleet === document?.fleet)?.name ?? null;
  const forge = useResource<GatewayFleet>(
    fleet === null ? null : `/v1/fleets/${encodeURIComponent(fleet)}`,
    ofPlan(fleet ?? ""),
  );
  const status =
    followed.isFollowed && followed.state !== null ? statusOf(followed.state, true) : (document?.status ?? null);
  useEffect(() => {
    if (status !== null) announce(`The run: ${signOfStatus(status).word}`);
  }, [status]);
  const states = useMemo(
    () =>
      plan === null || followed.state === null
        ? undefined
        : stepStates(
            followed.state,
            plan.steps.map(({ id }) => id),
          ),
    [plan, followed.state, followed.turn],
  );
  if (document === null || status === null)
    return refused === null ? <Loading what={`the run ${run}`} /> : <Trouble refused={refused} what={run} />;
  return (
    <article class="run">
      <div class="head">
        <h1>Run {run}</h1>
        <State sign={signOfStatus(status)} />
        <Orders run={run} status={status} onOrdered={() => refresh(path)} />
      </div>
      {isOver(status) ? <WaitsNow fleet={forge.document} run={run} /> : null}
      <Facts run={document} fleet={fleet} state={followed.state} />
      {plan === null ? (
        planRefused === null ? (
          <Loading what="its plan" />
        ) : (
          <Trouble refused={planRefused} what="Its plan" />
        )
      ) : (
        <>
          {notTaken === null ? null : <Trouble refused={notTaken} what="Your answer was not taken" />}
          {status === "waiting" ? (
            <Answer
              run={run}
              plan={plan}
              onAnswered={(why) => {
                setNotTaken(why);
                refresh(path);
              }}
            />
          ) : null}
          {states === undefined || status === "waiting" ? null : (
            <Progress states={states} total={plan.steps.length} isOver={isOver(status)} />
          )}
          <PlanBody
            plan={plan}
            fleet={fleet}
            links={linksOf(forge.document?.links, document.commit)}
            {...(states === undefined || status === "waiting" ? {} : { states })}
          />
        </>
      )}
    </article>
  );
}

/** Whoever came to answer one that is over wants the one that took its place. */
function WaitsNow({ fleet, run }: { readonly fleet: GatewayFleet | null; readonly run: string }) {
  const next = fleet?.waiting?.run ?? null;
  if (next === null || next === run) return null;
  return (
    <p class="call">
      Another plan of this fleet waits by now.{" "}
      <a class="button primary" href={runHref(next)}>
        Review that one
      </a>
    </p>
  );
}

const isOver = (status: string): boolean => ["done", "failed", "aborted", "refused", "replaced"].includes(status);

interface FactsProps {
  readonly run: RunDocument;
  readonly fleet: string | null;
  readonly state: { readonly by: string; readonly approvedBy: string | null; readonly reason: string | null } | null;
}

function Facts({ run, fleet, state }: FactsProps) {
  const approvedBy = state?.approvedBy ?? run.approvedBy ?? null;
  const reason = state?.reason ?? run.reason ?? null;
  const by = state?.by ?? run.by;
  return (
    <dl class="facts facts-row">
      <div>
        <dt>Fleet</dt>
        <dd>{fleet === null ? run.fleet : <a href={fleetHref(fleet)}>{fleet}</a>}</dd>
      </div>
      <div>
        <dt>Commit</dt>
        <dd>
          <Commit revision={run.revision ?? run.planId} commit={run.commit} />
        </dd>
      </div>
      <div>
        <dt>Steps</dt>
        <dd>{plural(run.counts.steps, "step")}</dd>
      </div>
      <div>
        <dt>Begun</dt>
        <dd>
          <When at={run.begunAt} />
        </dd>
      </div>
      {approvedBy === null ? null : (
        <div>
          <dt>Approved by</dt>
          <dd>{approvedBy}</dd>
        </div>
      )}
      {by === approvedBy ? null : (
        <div>
          <dt>{BY_WORDS[run.status] ?? "By"}</dt>
          <dd>{by}</dd>
        </div>
      )}
      {reason === null ? null : (
        <div>
          <dt>Why</dt>
          <dd>{reason}</dd>
        </div>
      )}
    </dl>
  );
}

const BY_WORDS: Readonly<Record<string, string>> = {
  refused: "Refused by",
  aborted: "Aborted by",
  aborting: "Aborted by",
  paused: "Paused by",
  pausing: "Paused by",
};
