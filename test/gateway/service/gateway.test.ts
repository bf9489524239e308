/** `odorobo gateway` turns fleets: as a process, over real repositories and agents with noop guests. */
import { join } from "node:path";
import { expect, test } from "vitest";
import type { GatewayFleet, GatewayFleetList } from "../../../src/report/gateway/gateway-documents.ts";
import { aGateway } from "../../support/a-gateway.ts";
import { aLiveFleet } from "../../support/a-live-fleet.ts";
import { commitFiles, git } from "../../support/a-repository.ts";
import { samplesOf } from "../../support/metrics-text.ts";
import { until } from "../../support/until.ts";

test("what is pushed becomes guests, and SIGTERM leaves them running", { timeout: 120_000 }, async () => {
  await using fleet = await aLiveFleet("n1");
  await fleet.vm("web-1");
  await git(fleet.folder, "init", "--quiet", "--initial-branch=main");
  const first = await commitFiles(fleet.folder, {});
  const data = join(fleet.scratch, "gateway");
  using gateway = aGateway(
    "--repo",
    fleet.folder,
    "--ref",
    "main",
    "--data",
    data,
    "--interval",
    "1s",
    "--name",
    "shop",
  );

  await gateway.logs("the first commit is applied", (line) => line.standing === "applied");
  const { fleets } = await gateway.get<GatewayFleetList>("/v1/fleets");
  expect(fleets).toMatchObject([
    { name: "shop", fleet: "test", isReady: true, inForce: { commit: first }, latest: { standing: "applied" } },
  ]);

  await fleet.vm("web-2");
  const second = await commitFiles(fleet.folder, {});
  await until("the second commit is applied", async () => {
    const { inForce, latest, vms } = await gateway.get<GatewayFleet>("/v1/fleets/shop");
    return inForce?.commit === second && latest?.standing === "applied" && vms?.running === 2;
  });
  const begun = gateway.log().find(({ msg }) => msg === "a run begins");
  expect(begun).toMatchObject({ fleet: "shop", revision: first.slice(0, 12), run: expect.stringMatching(/^\d{8}-/) });
  const metrics = samplesOf(await (await fetch(`${await gateway.url()}/metrics`)).text());
  expect(metrics.get('odorobo_gateway_runs_total{fleet="shop",outcome="done"}')).toBe(2);
  expect(metrics.get('odorobo_gateway_revision_lag_seconds{fleet="shop"}')).toBe(0);
  expect(metrics.get('odorobo_gateway_node_up{fleet="shop",node="n1"}')).toBe(1);
  expect(metrics.get('odorobo_gateway_plan_duration_seconds_count{fleet="shop"}')).toBeGreaterThan(1);

  const { code } = await gateway.stop();
  expect(code).toBe(0);
  expect(gateway.log().map(({ msg }) => msg)).toContain("the fleet is let go of");
  const report = (await (await fetch(`${fleet.url("n1")}/v1/report`)).json()) as { vms: { phase: string }[] };
  expect(report.vms.map(({ phase }) => phase)).toEqual(["running", "running"]);
});
