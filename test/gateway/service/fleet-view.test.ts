/** What is shown of a fleet that a person or a page asks about. */
import { expect, test } from "vitest";
import { NOTHING_SEEN } from "../../../src/gateway/revision/loop-state.ts";
import type { Because, Revision, Standing } from "../../../src/gateway/revision/revision.ts";
import { FleetView } from "../../../src/gateway/service/fleet-view.ts";
import { FleetSight } from "../../../src/gateway/service/sight/fleet-sight.ts";
import { DEFAULT_GATEWAY_POLICY } from "../../../src/model/desired-state.ts";
import { aClock } from "../../support/a-clock.ts";
import { NOON } from "../../support/a-fleet.ts";

const aSight = () => new FleetSight({ clock: aClock(), life: "l", isHeard: () => false, onNews: () => {} });

const revision = (id: string, standing: Standing, because: Because | null): Revision => ({
  ...{ id, standing, because, what: "a push", commit: null, at: NOON, digest: null, policy: DEFAULT_GATEWAY_POLICY },
  ...{ isDoubtful: false, own: [], declined: [] },
});

test("one that says what the one in force says is shown with what became of that one", () => {
  const repository = { url: "/srv/fleet.git", ref: "main", path: null };
  const view = new FleetView({ name: "shop", repository } as never, () => null, aSight());
  const shown = (standing: Standing, message: string | null) => {
    const force = revision("r1", standing, message === null ? null : { code: null, message });
    const same = revision("r2", "unchanged", { code: null, message: "it says what r1 says" });
    view.changed({ ...NOTHING_SEEN, revisions: [force, same], inForce: "r1" });
    return view.summary().latest?.because?.message;
  };
  expect(shown("waiting", "for approval: c (destroy)")).toBe(
    "it says what r1 says, which is waiting: for approval: c (destroy)",
  );
  expect(shown("applying", null)).toBe("it says what r1 says, which is applying");
  expect(shown("applied", null)).toBe("it says what r1 says");
});
