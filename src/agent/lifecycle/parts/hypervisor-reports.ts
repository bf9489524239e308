/** Which hypervisors are here, as they said last. Asking starts a process each, so a report does not wait for it. */
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import { byName } from "../../../model/names.ts";
import type { HypervisorReport } from "../../../model/observed-state.ts";
import type { HypervisorKind } from "../../../model/vm-spec.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { within } from "./deadline.ts";

/** An installed or upgraded package shows up within a minute. */
const STALE_AFTER_MS = 60_000;
const PROBE_DEADLINE_MS = 10_000;

export interface HypervisorReports {
  /** Sorted by kind. Looks again in the background when the last look is a while ago. */
  current(): readonly HypervisorReport[];
  /** Rejects with HYPERVISOR_UNAVAILABLE. Looks again before it says no. */
  require(kind: HypervisorKind): Promise<HypervisorReport>;
}

export async function probeHypervisors(
  hypervisors: readonly Hypervisor[],
  parts: { readonly clock: Clock; readonly logger: Logger; readonly stopping: AbortSignal },
): Promise<HypervisorReports> {
  let reports: readonly HypervisorReport[] = [];
  /** Of those that are not in `reports`. */
  const refusals = new Map<HypervisorKind, unknown>();
  let probedAt = Number.NEGATIVE_INFINITY;
  let probing: Promise<void> | null = null;

  async function probe(): Promise<void> {
    const found = await Promise.all(
      hypervisors.map((each) =>
        within(
          PROBE_DEADLINE_MS,
          parts.stopping,
          (signal) => each.probe(signal),
          () => probeTimedOut(each),
        ).then(
          (report) => {
            refusals.delete(each.kind);
            const before = reports.find(({ kind }) => kind === each.kind);
            if (report?.untried && before?.version !== report.version)
              parts.logger.warn({ hypervisor: each.kind }, describeUntried(report));
            return report;
          },
          (error: unknown) => {
            parts.logger.warn({ err: error, hypervisor: each.kind }, "could not find out about a hypervisor");
            refusals.set(each.kind, error);
            return null;
          },
        ),
      ),
    );
    reports = found
      .filter((each) => each !== null)
      .map(withColdMoves)
      .sort((a, b) => byName(a.kind, b.kind));
    probedAt = parts.clock.monotonicMs();
  }
  const probeOnce = (): Promise<void> => {
    probing ??= probe().finally(() => {
      probing = null;
    });
    return probing;
  };
  await probeOnce();

  return {
    current() {
      if (parts.clock.monotonicMs() - probedAt > STALE_AFTER_MS) void probeOnce().catch(() => {});
      return reports;
    },
    async require(kind) {
      const known = () => reports.find((each) => each.kind === kind);
      if (!known() && hypervisors.some((each) => each.kind === kind)) await probeOnce();
      const report = known();
      if (report) return report;
      // It is here, and cannot be used: its own words say why.
      const refusal = refusals.get(kind);
      if (isOdoroboError(refusal)) throw refusal;
      throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `this node has no ${kind}`, {
        hint: `it has ${reports.map((each) => each.kind).join(", ") || "no hypervisor at all"}; install ${kind}, or choose another`,
      });
    },
  };
}

/** A VM that is off is moved by its agent: no hypervisor has to be able to. */
const withColdMoves = (report: HypervisorReport): HypervisorReport => ({
  ...report,
  capabilities: {
    ...report.capabilities,
    moves: { live: false, ownDisks: false, ...report.capabilities.moves, cold: true },
  },
});

/** For those who start a guest on it. */
export const describeUntried = ({ kind, version }: Pick<HypervisorReport, "kind" | "version">): string =>
  `${kind} ${version} is newer than any that odorobo was tried with: try it with a guest that does not matter first`;

const probeTimedOut = (hypervisor: Hypervisor): Error =>
  new OdoroboError("HYPERVISOR_UNAVAILABLE", `${hypervisor.kind} did not say its version in time`);
