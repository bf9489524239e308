import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { GatewayMetrics } from "../../../src/gateway/metrics/gateway-metrics.ts";
import type { Notification } from "../../../src/gateway/notify/notice.ts";
import { GatewayEvents } from "../../../src/gateway/service/event-log.ts";
import type { FleetConfig } from "../../../src/gateway/service/gateway-config.ts";
import { openOutlets } from "../../../src/gateway/service/open-outlets.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { aClock } from "../../support/a-clock.ts";
import { aReceiver } from "../../support/a-receiver.ts";
import { ToldLoop } from "../../support/a-told-loop.ts";
import { samplesOf } from "../../support/metrics-text.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

test("what a fleet's entry names is told and counted, and a receiver that is not there costs the others nothing", async () => {
  await using folder = await aTempFolder();
  await using receiver = await aReceiver();
  const urlFile = join(folder.path, "url");
  await writeFile(urlFile, receiver.url, { mode: 0o600 });
  const clock = aClock();
  const metrics = new GatewayMetrics({ version: "1", clock });
  const config: FleetConfig = {
    ...{ name: "shop", repository: { url: folder.path, ref: null, path: null }, intervalMs: 60_000 },
    ...{ requireSigned: null, allowRewind: false, ceiling: null, forge: null, agents: {} },
    notify: [
      { kind: "slack", urlFile: join(folder.path, "nowhere"), on: ["failed"] },
      { kind: "json", urlFile, on: ["failed"] },
    ],
  };
  const parts = { clock, metrics, log: silentLogger, events: new GatewayEvents(clock) };
  const outlets = await openOutlets(config, { ...parts, publicUrl: "https://o.example", dataFolder: folder.path });
  new ToldLoop(clock, ...outlets.watchers).push("r1").plan("r1").pushBroken("r2");
  const during = samplesOf(await metrics.render());
  expect(during.get('odorobo_gateway_newest_revision{fleet="shop",standing="refused"}')).toBe(1);
  await outlets[Symbol.asyncDispose]();

  const [notification] = receiver.received.map(({ body }) => JSON.parse(body) as Notification);
  expect(notification).toMatchObject({ fleet: "shop", link: "https://o.example/v1/fleets/shop" });
  expect(notification?.notices.map(({ topic, revision }) => [topic, revision])).toEqual([["failed", "r2"]]);
  const after = samplesOf(await metrics.render());
  expect(after.get('odorobo_gateway_notifications_total{kind="json",result="sent"}')).toBe(1);
  expect(after.get('odorobo_gateway_notifications_total{kind="slack",result="dropped"}')).toBe(1);
  expect([...after.keys()].filter((name) => name.includes('fleet="shop"'))).toEqual([]);
});
