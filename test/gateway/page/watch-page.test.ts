/** `watch --listen`: the page and the API of a gateway for the one folder. */

import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { aLiveFleet } from "../../support/a-live-fleet.ts";
import { expectValid } from "../../support/expect-valid.ts";
import { startOdorobo } from "../../support/run-odorobo.ts";
import { until } from "../../support/until.ts";

test("a watch serves its fleet, and what it asks is answered there with the token", { timeout: 120_000 }, async () => {
  await using fleet = await aLiveFleet("n1");
  await fleet.vm("web-1");
  const tokenFile = join(fleet.scratch, "token");
  await writeFile(tokenFile, "let-me-in\n");
  await chmod(tokenFile, 0o600);
  const listen = ["--listen", "127.0.0.1:0", "--page-token-file", tokenFile];
  using watch = startOdorobo(["watch", fleet.folder, "--auto", "none", "--state", join(fleet.scratch, "s"), ...listen]);
  const told = () => watch.stdout() + watch.stderr();
  await until("it says where", () => /the page: http:\S+/.test(told()), 60_000);
  const url = /the page: (http:\S+?)\/?\s/.exec(told())![1]!;
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(url + path, { ...init, headers: { authorization: "Bearer let-me-in" } });
    // biome-ignore lint/suspicious/noExplicitAny: documents of many kinds, each compared as it is.
    return { status: answer.status, json: (await answer.json()) as any };
  };
  expect((await fetch(`${url}/v1/fleets`)).status).toBe(401);
  const { json: list } = await ask("/v1/fleets");
  expectValid(list, "gateway-fleet-list");
  expect(list.fleets.map(({ name }: { name: string }) => name)).toEqual(["fleet"]);
  let run = "";
  await until(
    "it asks",
    async () => {
      run = (await ask("/v1/fleets/fleet")).json.waiting?.run ?? "";
      return run !== "";
    },
    60_000,
  );
  expect((await ask(`/v1/runs/${run}/approve`, { method: "POST" })).status).toBe(200);
  await until(
    "it runs",
    async () => {
      const { json } = await ask("/v1/fleets/fleet/vms");
      return json.vms?.[0]?.phase === "running";
    },
    60_000,
  );
  expectValid((await ask("/v1/fleets/fleet/vms")).json, "gateway-vms");
  expect((await ask("/v1/fleets/fleet/vms/web-1/history")).json).toMatchObject({
    entries: [],
    because: { message: expect.stringContaining("no repository") },
    runs: [{ id: run, approvedBy: expect.stringContaining("token file") }],
  });
  watch.child.kill("SIGINT");
  expect((await watch.ended).code).toBe(0);
});
