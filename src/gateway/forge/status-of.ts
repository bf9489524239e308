/** What is said at the commit of a revision: one line, which people read before they read anything else. */
import type { Because, Revision, Standing } from "../revision/revision.ts";
import type { CommitStatus, StatusState } from "./forge.ts";

export type Said = Pick<CommitStatus, "state" | "line">;

const STATES: Readonly<Record<Standing, StatusState>> = {
  seen: "pending",
  read: "pending",
  planned: "pending",
  waiting: "pending",
  applying: "pending",
  applied: "success",
  unchanged: "success",
  failed: "failure",
  refused: "failure",
  replaced: "neutral",
};

/** `run`: of the plan that waits for an answer; null: none does, or it is not known. */
export function statusOfRevision({ standing, because }: Revision, run: string | null): Said {
  const state = standing === "failed" && isNoFaultOfIts(because) ? "error" : STATES[standing];
  return { state, line: lineOf(standing, because, run) };
}

/** What a commit cannot help: agents that are silent, this gateway's own troubles. */
const isNoFaultOfIts = (because: Because | null): boolean =>
  because?.code !== null &&
  because?.code !== undefined &&
  /^(AGENT_|INTERNAL|RUN_|FILE_|HYPERVISOR_)/.test(because.code);

function lineOf(standing: Standing, because: Because | null, run: string | null): string {
  const reason = because === null ? null : firstLine(because);
  switch (standing) {
    case "seen":
      return "seen, not read yet";
    case "read":
      return "read without mistakes, not planned yet";
    case "planned":
      return "planned, not begun yet";
    case "waiting": {
      const [command, rest] = [run === null ? "" : `odorobo runs approve ${run}`, (reason ?? "").replace(/^for /, "")];
      // The command comes first: what is too long loses its end.
      return command === "" ? `waits for ${rest || "somebody"}` : `waits: ${command} — ${rest}`;
    }
    case "applying":
      return "is being applied";
    case "applied":
      return "applied";
    case "unchanged":
      return reason === null ? "nothing to do" : `nothing to do: ${reason}`;
    case "replaced":
      return reason === null ? "replaced by a newer one" : `replaced, ${reason}`;
    case "failed":
    case "refused":
      return `${standing}: ${reason ?? "see the gateway"}`;
  }
}

/** `vms/web.yaml:12:11  error  memory must be …`, as `render-diagnostics.ts` prints the first line of each. */
const DIAGNOSTIC = /^(\S.*?:\d+:\d+) {2}error {2}(.+)$/m;

/**
 * Of mistakes in manifests, where the first is and what; never the line of the file below it, which may hold anything. Whoever reads
 * a commit's status may read the commit.
 */
export function firstLine({ code, message }: Pick<Because, "code" | "message">): string {
  const [first = ""] = message.split("\n", 1);
  if (code !== "MANIFEST_INVALID") return first;
  const [, place, problem] = DIAGNOSTIC.exec(message) ?? [];
  if (place === undefined) return first;
  const count = Number(/^\d+/.exec(first)?.[0] ?? 1);
  return `${place} ${problem}${count > 1 ? ` (and ${count - 1} more)` : ""}`;
}
