/** Agents in memory that do what is asked of them in the time that it takes, but for what is made to fail. */
import type { rehearse } from "../agent/rehearse.ts";
import { OdoroboError, toErrorBody } from "../model/errors.ts";
import type { NodeName } from "../model/names.ts";
import type { VirtualTime } from "../platform/virtual-time.ts";
import type { InjectedFailure } from "../report/what-if/simulation-document.ts";
import { type ActDurations, stepOf } from "./act-durations.ts";

type Rehearsed = ReturnType<typeof rehearse>;

export function misbehave(
  fleet: Rehearsed,
  time: VirtualTime,
  injected: readonly InjectedFailure[],
  secondsOf: ActDurations["secondsOf"],
): void {
  for (const failure of injected) {
    if (failure.kind !== "agent-dies") continue;
    const agent = fleet.agent(failure.node);
    time.after(failure.atSeconds * 1000, () => {
      agent.silent = true;
    });
    if (failure.forSeconds !== null)
      time.after((failure.atSeconds + failure.forSeconds) * 1000, () => {
        agent.silent = false;
      });
  }
  const never = new AbortController().signal;
  const refused = new Set(injected.flatMap((each) => (each.kind === "step-refused" ? [each.step] : [])));
  const cuts = injected.filter((each) => each.kind === "link-cut");
  const links = new Links();
  fleet.behave(({ node, id, request }) => {
    const now = time.monotonicMs() / 1000;
    const alone = secondsOf(request.kind, id);
    const takes = request.kind === "migrate" ? links.send(node, request.to.node, now, alone) : alone;
    if (refused.has(stepOf(id)))
      return { refuse: new OdoroboError("HYPERVISOR_FAILED", `${node} refuses it, because the simulation says so`) };
    const isCut = ({ atSeconds, forSeconds }: { atSeconds: number; forSeconds: number }, from: number, until: number) =>
      atSeconds <= until && from < atSeconds + forSeconds;
    if (cuts.some((cut) => cut.to === null && cut.node === node && isCut(cut, now, now))) return { unreachable: true };
    const cut =
      request.kind !== "migrate"
        ? undefined
        : cuts.find((each) => isBetween(each, node, request.to.node) && isCut(each, now, now + takes));
    if (cut !== undefined) {
      const error = new OdoroboError("MIGRATION_FAILED", `the link between ${cut.node} and ${cut.to} was cut`);
      return { during: time.sleep(Math.max(0, cut.atSeconds - now) * 1000, never), fail: toErrorBody(error) };
    }
    const losesAnswer = cuts.some(
      (each) => each.to === null && each.node === node && isCut(each, now + takes, now + takes),
    );
    return { during: time.sleep(takes * 1000, never), losesAnswer };
  });
}

const isBetween = ({ node, to }: { node: NodeName; to: NodeName | null }, one: NodeName, other: NodeName): boolean =>
  (node === one && to === other) || (node === other && to === one);

/**
 * Moves over one link take as long together as one after another: what is sent at once shares it. The one that came first is done first, which
 * changes who waits, and not how long all of them do.
 */
class Links {
  readonly #freeAt = new Map<string, number>();

  /** Seconds until this one has arrived. */
  send(from: NodeName, to: NodeName, now: number, seconds: number): number {
    const ends = [`${from} up`, `${to} down`];
    const begins = Math.max(now, ...ends.map((end) => this.#freeAt.get(end) ?? 0));
    for (const end of ends) this.#freeAt.set(end, begins + seconds);
    return begins + seconds - now;
  }
}
