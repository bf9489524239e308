/** Rows as bytes: made once for all who are told the same, whatever they say that they know. */
import { expect, test } from "vitest";
import { vmsBody } from "../../../src/gateway/service/http/vms-body.ts";
import { FleetSight } from "../../../src/gateway/service/sight/fleet-sight.ts";
import { aClock } from "../../support/a-clock.ts";
import { aFleet, NOON, planOf } from "../../support/a-fleet.ts";

test("who names a tag that was never given is told all, of the same bytes as everybody", async () => {
  using sight = new FleetSight({ clock: aClock(), life: "l", isHeard: () => false, onNews: () => {} });
  const fleet = aFleet().node("n1").vm("web-1", { on: "n1" });
  const world = fleet.asDesired();
  const desired = fleet.desired();
  sight.planned({ plan: planOf(fleet, world), observed: world.observed(), fleet: { desired } as never });
  const body = async (since: string | null) =>
    (await vmsBody(sight, since, { fleet: "test", now: NOON, mayZip: false })).body;
  const all = await body(null);
  expect(JSON.parse(all.toString())).toMatchObject({ since: null, vms: [{ name: "web-1" }] });
  for (const since of ["", "l-", "l-0", "l-99", "m-1", "l-1e0", "x".repeat(200)]) expect(await body(since)).toBe(all);
  const { tag } = sight;
  expect(JSON.parse((await body(tag)).toString())).toMatchObject({ since: tag, vms: [] });
});
