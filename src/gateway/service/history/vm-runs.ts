/** Which runs touched one VM: of what journals say, without the plans beside them. */
import type { VmName } from "../../../model/names.ts";
import type { HistoryRun } from "../../../report/gateway/page-documents.ts";
import type { KnownRun } from "../../../run/run-store.ts";
import { statusOf } from "../../../run/state.ts";

/** The latest; the others are in `odorobo runs list`. */
const MOST_RUNS = 20;

/** Latest first. `fleet`: as the manifests call it. */
export function runsOf(
  runs: readonly KnownRun[],
  fleet: string,
  vm: VmName,
): { readonly runs: readonly HistoryRun[]; readonly isComplete: boolean } {
  const own = runs.filter(({ state }) => state.begun.fleet === fleet).flatMap((run) => toHistory(run, vm));
  return { runs: own.slice(0, MOST_RUNS), isComplete: own.length <= MOST_RUNS };
}

function toHistory({ id, state, isExecuted }: KnownRun, vm: VmName): HistoryRun[] {
  const steps = [...state.steps].flatMap(([step, progress]) => {
    const kind = kindOf(step, vm);
    if (kind === null) return [];
    return [
      {
        title: `${WORDS[kind] ?? kind} ${vm}`,
        outcome: progress.kind === "ended" ? OUTCOMES[progress.event.event] : null,
      },
    ];
  });
  if (steps.length === 0) return [];
  const { begun, approvedBy } = state;
  return [
    { id, at: begun.at, by: begun.by, approvedBy, status: statusOf(state, isExecuted), commit: begun.commit, steps },
  ];
}

const OUTCOMES = { "step-succeeded": "done", "step-failed": "failed", "step-skipped": "skipped" } as const;

/** Steps are called `bootVm-web-1-2d69d694`. Null: another VM's. */
function kindOf(step: string, vm: VmName): string | null {
  const [, kind, name] = /^([A-Za-z]+)-(.+)-[0-9a-f]+$/.exec(step) ?? [];
  return name === vm ? (kind ?? null) : null;
}

const WORDS: Readonly<Record<string, string>> = {
  createVm: "create",
  updateVm: "update",
  bootVm: "boot",
  shutdownVm: "shut down",
  rebootVm: "reboot",
  pauseVm: "pause",
  resumeVm: "resume",
  migrateVm: "move",
  deleteVm: "delete",
};
