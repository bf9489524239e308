/** `runs attach` and `runs resume`: look on while another executes the run, carry it on when nobody does, and report as apply does. */
import type { ApplyEvent, ApplyReport } from "../../../apply/apply-report.ts";
import { OdoroboError } from "../../../model/errors.ts";
import type { Plan } from "../../../plan/plan-document.ts";
import { systemClock } from "../../../platform/clock.ts";
import { whoami } from "../../../platform/whoami.ts";
import { decide, type RunDecision } from "../../../run/decide.ts";
import type { RunOrigin } from "../../../run/journal.ts";
import { reportOf } from "../../../run/resume.ts";
import type { KnownRun, RunClaim, RunStore } from "../../../run/run-store.ts";
import { onlyNews, toApplyEvent } from "../../../run/watch.ts";
import type { AgentAccess } from "../../../turn/connect-agents.ts";
import type { FleetLocation } from "../../../turn/read-fleet.ts";
import { applyExitCode } from "../exit-code.ts";
import type { Interrupts } from "../interrupt.ts";
import { openProgress } from "../screen/show-progress.ts";
import type { Screen } from "../screen/terminal.ts";
import { tellEnd } from "./tell-end.ts";

export interface AttachOptions {
  readonly kind: "attach" | "resume";
  readonly id: string;
  /** The flag, repeated in hints. */
  readonly state: string | undefined;
  readonly interrupts: Interrupts;
  /** Where the manifests are, if not where they were. */
  readonly location: FleetLocation | null;
  readonly access: AgentAccess;
}

/** Returns the report of the whole run, and sets the exit code as its first executor would have. Rejects with RUN_OVER, or as `takeUpRun`. */
export async function attachRun(screen: Screen, store: RunStore, options: AttachOptions): Promise<ApplyReport> {
  const { id } = await store.find(options.id);
  const plan = await store.plan(id);
  const run = await watch(screen, (show) => stayWith(store, id, plan, options, show));
  const report = reportOf(plan, run.state);
  tellEnd(screen, plan, report, run, options.state);
  process.exitCode = applyExitCode(plan, report);
  return report;
}

/** Until it is over, or stands still because somebody asked for that. */
async function stayWith(
  store: RunStore,
  id: string,
  plan: Plan,
  options: AttachOptions,
  show: (event: ApplyEvent) => void,
): Promise<KnownRun> {
  const { kind, interrupts } = options;
  const toShow = toApplyEvent(plan);
  for (let mayResume = kind === "resume"; ; ) {
    const run = await store.find(id);
    const command = { kind: mayResume ? kind : "attach", at: systemClock.now(), by: whoami() } as const;
    const decision = decide(run.state, command, run.isExecuted ? "other" : "nobody");
    if (decision.next === "refuse") throw refusal(decision);
    if (decision.next === "follow") {
      for await (const event of store.follow(id, interrupts.first)) {
        const shown = toShow(event);
        if (shown !== null) show(shown);
      }
      continue;
    }
    if (decision.next !== "execute" && decision.next !== "stop") {
      for await (const event of store.follow(id, interrupts.first)) {
        const shown = toShow(event);
        if (shown !== null) show(shown);
      }
      return await store.find(id);
    }
    await using claim = await store.claim(id);
    // Somebody was faster: look again at who.
    if (claim === null) continue;
    // Once: it may be paused again by somebody else, and stays so then.
    mayResume = false;
    const again = decide(claim.state(), command, "nobody");
    if (again.next === "refuse") throw refusal(again);
    if (again.next === "execute") await execute(claim, again, options, show);
    else if (again.next === "stop") for (const event of again.append) claim.append(event);
    return { id, state: claim.state(), isExecuted: false };
  }
}

async function execute(
  claim: RunClaim,
  decision: Extract<RunDecision, { readonly next: "execute" }>,
  { interrupts, location, access }: AttachOptions,
  show: (event: ApplyEvent) => void,
): Promise<void> {
  const { takeUpRun } = await import("../../../turn/runs/take-up-run.ts");
  const { executeRun } = await import("../../../turn/runs/execute-run.ts");
  const { origin, commit } = claim.state().begun;
  const request = {
    location: location ?? toLocation(origin, commit),
    access: { ...accessOf(origin), ...given(access) },
    clock: systemClock,
  };
  await using taken = await takeUpRun(claim, request, interrupts.first);
  for (const event of decision.append) claim.append(event);
  await executeRun({
    claim,
    desired: taken.fleet.desired,
    observed: taken.observed,
    agents: taken.agents,
    clock: systemClock,
    signal: interrupts.first,
    hardSignal: interrupts.second,
    onEvent: show,
    refused: taken.refused,
  });
}

/** Of a repository the very commit: a branch has moved on. */
const toLocation = ({ location }: RunOrigin, commit: string | null): FleetLocation =>
  location.kind === "git" ? { ...location, ref: commit ?? location.ref } : location;

const accessOf = ({ tokenFile, tls }: RunOrigin): AgentAccess => ({ tokenFile, tls: tls ?? {} });

/** What the user said this time. */
const given = ({ tokenFile, tls, answerMs }: AgentAccess): Partial<AgentAccess> => ({
  ...(tokenFile === undefined ? {} : { tokenFile }),
  ...(Object.values(tls ?? {}).every((file) => file === undefined) ? {} : { tls }),
  ...(answerMs === undefined ? {} : { answerMs }),
});

const refusal = ({ code, message, hint }: Extract<RunDecision, { readonly next: "refuse" }>): OdoroboError =>
  new OdoroboError(code, message, { hint });

/** The progress is gone from the terminal before the report is printed. */
async function watch<Result>(screen: Screen, run: (show: (event: ApplyEvent) => void) => Promise<Result>) {
  using progress = openProgress(process.stderr, { colour: screen.noteColour });
  return await run(onlyNews((event) => progress.show(event)));
}
