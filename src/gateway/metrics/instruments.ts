/** Every metric of a gateway, with what it means. Names and labels are what boards and alerts of users hang on. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** From a plan of a few VMs that is held in memory to a cold one of ten thousand. */
const PLAN_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** From a live change to a move of a large guest. */
const STEP_SECONDS = [0.05, 0.25, 1, 5, 15, 60, 180, 600, 1800];
const RUN_SECONDS = [1, 5, 15, 60, 300, 900, 3600, 4 * 3600];

export type Instruments = ReturnType<typeof makeInstruments>;

export function makeInstruments(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name: `odorobo_gateway_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, ...labelNames: string[]) =>
    new Gauge({ name: `odorobo_gateway_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets: number[], ...labelNames: string[]) =>
    new Histogram({ name: `odorobo_gateway_${name}`, help, buckets, labelNames, registers });
  return {
    info: gauge("info", "Which release it is; always 1.", "version"),

    revisions: gauge("revisions", "Revisions that the loop remembers, by standing.", "fleet", "standing"),
    newest: gauge("newest_revision", "1 for the standing that the newest revision has.", "fleet", "standing"),
    reached: counter("revision_standings_total", "Revisions that came to stand so.", "fleet", "standing"),
    lag: gauge(
      "revision_lag_seconds",
      "How long the newest revision has been seen and not applied; 0: it is.",
      "fleet",
    ),

    plans: histogram("plan_duration_seconds", "How long plans took, agents' answers included.", PLAN_SECONDS, "fleet"),
    planned: gauge("last_plan_timestamp_seconds", "When the last plan was made, in seconds since 1970.", "fleet"),
    planChanges: gauge("last_plan_vms", "VMs of the last plan, by what it says of them.", "fleet", "action"),
    planSteps: gauge("last_plan_steps", "Steps of the last plan.", "fleet"),
    planRefusals: gauge("last_plan_refusals", "Guards and budgets that forbade the last plan.", "fleet"),
    planWaiting: gauge("last_plan_windows", "Changes of the last plan that wait for a window.", "fleet"),

    runs: counter("runs_total", "Runs that ended, by outcome.", "fleet", "outcome"),
    runSeconds: histogram("run_duration_seconds", "How long runs took.", RUN_SECONDS, "fleet"),
    running: gauge("runs_in_progress", "Runs under way.", "fleet"),
    steps: counter("steps_total", "Steps that ended, by kind and outcome.", "fleet", "kind", "outcome"),
    stepSeconds: histogram("step_duration_seconds", "How long steps took that were begun.", STEP_SECONDS, "kind"),
    retries: counter("step_retries_total", "Steps that were tried again.", "fleet"),

    approvals: gauge("approvals_waiting", "Plans that wait for a person.", "fleet"),
    approvalSeconds: gauge("approval_wait_seconds", "How long that one waits already; 0: there is none.", "fleet"),
    drift: gauge("drifted_vms", "VMs that drifted, as last looked at.", "fleet"),
    drifts: counter("drifts_total", "Drift that was found, by what was done about it.", "fleet", "handling"),
    healed: counter("healed_total", "VMs whose drift was reverted.", "fleet"),
    failures: gauge("consecutive_failures", "Plans and runs that failed one after another.", "fleet"),
    troubles: counter(
      "troubles_total",
      "Times that keeping guests at the revision in force did not work.",
      "fleet",
      "code",
    ),
    held: gauge("held_by_another_run", "1: somebody else's run has the fleet.", "fleet"),

    nodeUp: gauge("node_up", "1: the agent answered when last asked.", "fleet", "node"),
    nodes: gauge("nodes", "Nodes by whether they answered when last asked.", "fleet", "reach"),
    sourceUp: gauge("source_up", "1: the repository can be read.", "fleet"),
    sourceTroubles: counter("source_troubles_total", "Times that it could not, by reason.", "fleet", "code"),

    hooks: counter(
      "webhooks_total",
      "Webhooks by what became of them; of no fleet: its name was none.",
      "fleet",
      "result",
    ),
    notifications: counter("notifications_total", "Notifications by kind and what became of them.", "kind", "result"),
  };
}

/** All that was told of it. */
export async function removeFleet(instruments: Instruments, fleet: string): Promise<void> {
  for (const instrument of Object.values(instruments)) {
    // Of a histogram the values are those of its buckets, and it goes as a whole; those of steps are of all fleets.
    if (instrument instanceof Histogram) {
      if (instrument !== instruments.stepSeconds) instrument.remove({ fleet });
      continue;
    }
    for (const { labels } of (await instrument.get()).values) if (labels.fleet === fleet) instrument.remove(labels);
  }
}
