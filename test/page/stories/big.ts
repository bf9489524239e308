/** A thousand and ten thousand VMs: what is seen is in the document, and nothing else; what is searched for is found. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { GatewayMetrics } from "../../../src/gateway/metrics/gateway-metrics.ts";
import { GatewayEvents } from "../../../src/gateway/service/event-log.ts";
import { FleetView } from "../../../src/gateway/service/fleet-view.ts";
import { AgentLines } from "../../../src/gateway/service/guests/agent-lines.ts";
import { openGatewayDoor } from "../../../src/gateway/service/http/gateway-door.ts";
import { FleetSight } from "../../../src/gateway/service/sight/fleet-sight.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { parseListenAddress } from "../../../src/platform/http/listen-address.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { FileRunStore } from "../../../src/run-store/file-run-store.ts";
import { aFleet, planOf } from "../../support/a-fleet.ts";
import { BUILT_COMMAND } from "../../support/built.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";
import type { PageWorld } from "../a-page-world.ts";
import { expectNoFaults, PATIENCE_MS, sees } from "./see-again.ts";

const VMS_PER_NODE = 40;

/** The door of a gateway over a fleet that was seen once: rows and documents are made as ever. Whoever is on this machine may look. */
async function aBigFleet(count: number): Promise<AsyncDisposable & { readonly url: string }> {
  await using opened = new AsyncDisposableStack();
  const scratch = opened.use(await aTempFolder());
  const fleet = aFleet();
  const nodeOf = (index: number): string => `n${Math.floor(index / VMS_PER_NODE) + 1}`;
  for (let node = 0; node < count / VMS_PER_NODE; node++)
    fleet.node(`n${node + 1}`, { cpus: 640, memoryMiB: 1_048_576 });
  for (let index = 0; index < count; index++) fleet.vm(`vm-${index}`, { on: nodeOf(index) });
  const world = fleet.asDesired();
  const events = new GatewayEvents(systemClock);
  const sight = new FleetSight({ clock: systemClock, life: "l", isHeard: () => false, onNews: () => {} });
  const observed = world.observed();
  const desired = fleet.desired();
  const view = new FleetView({ name: "big", repository: { url: "/x", ref: null, path: null } }, () => null, sight);
  const planned = { plan: planOf(fleet, world), fleet: { desired }, observed };
  view.seen(planned as never);
  const door = opened.use(
    await openGatewayDoor({
      config: { listen: parseListenAddress("127.0.0.1:0"), publicUrl: null, door: NOBODY_IS_ASKED },
      fleets: new Map([["big", { view, agents: opened.use(new AgentLines({})), history: null }]]),
      runs: new FileRunStore(scratch.path),
      events,
      metrics: new GatewayMetrics({ version: "0", clock: systemClock }),
      carryOn: async () => {},
      clock: systemClock,
      log: silentLogger,
      version: "0",
      since: systemClock.now(),
      pageFolder: join(fileURLToPath(new URL("../dist/", `file://${BUILT_COMMAND}`)), "page"),
    }),
  );
  const owned = opened.move();
  return { url: door.url, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const NOBODY_IS_ASKED = { tokenFile: null, accessFile: null, tls: null };

export function bigFleets(world: () => PageWorld): void {
  test.each([1_000, 10_000])("%d VMs in one list", async (count) => {
    await using big = await aBigFleet(count);
    await using person = await world().browser.person();
    const { page } = person;
    await page.goto(`${big.url}/#/fleets/big/vms`);
    await sees(page, "vm-12");
    const rows = page.locator(".grid-body .grid-row");
    expect(await rows.count(), "only what is seen is in the document").toBeLessThan(90);
    const grid = page.getByRole("grid");
    expect(await grid.getAttribute("aria-rowcount")).toBe(String(count + 1));
    await grid.focus();
    await page.keyboard.press("End");
    await sees(page, `vm-${count - 1}`);
    expect(await rows.count()).toBeLessThan(90);
    await page.keyboard.press("Home");
    await sees(page, "vm-0");
    await page.keyboard.press("/");
    await page.keyboard.type(`vm-${count - 7} node:n${Math.ceil((count - 7) / VMS_PER_NODE)}`);
    await until("one is left", async () => (await grid.getAttribute("aria-rowcount")) === "2", PATIENCE_MS);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: `vm-${count - 7}` }).waitFor({ timeout: PATIENCE_MS });
    await page.goto(`${big.url}/#/fleets/big`);
    await sees(page, `n${count / VMS_PER_NODE}`);
    expectNoFaults(person);
  });
}
