/** `odorobo gateway` turns fleets: as a process, over real repositories and agents with noop guests. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { GatewayFleet, GatewayFleetList } from "../../../src/report/gateway/gateway-documents.ts";
import { aGateway } from "../../support/a-gateway.ts";
import { aLiveFleet } from "../../support/a-live-fleet.ts";
import { commitFiles, git } from "../../support/a-repository.ts";
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
  expect(begun).toMatchObject({ fleet: "shop", run: expect.stringMatching(/^\d{8}-/) });

  const { code } = await gateway.stop();
  expect(code).toBe(0);
  expect(gateway.log().map(({ msg }) => msg)).toContain("the fleet is let go of");
  const report = (await (await fetch(`${fleet.url("n1")}/v1/report`)).json()) as { vms: { phase: string }[] };
  expect(report.vms.map(({ phase }) => phase)).toEqual(["running", "running"]);
});

test("many fleets: one that cannot be read, or is another's, stops nobody; the file is read again", {
  timeout: 180_000,
}, async () => {
  await using shop = await aLiveFleet("n1");
  await using lab = await aLiveFleet("n2");
  for (const [fleet, name] of [
    [shop, "shop"],
    [lab, "lab"],
  ] as const) {
    await fleet.vm("web-1");
    await fleet.write("fleet.yaml", FLEET.replace("NAME", name));
    await git(fleet.folder, "init", "--quiet", "--initial-branch=main");
    await commitFiles(fleet.folder, {});
  }
  const file = join(shop.scratch, "gateway.yaml");
  const fleetLines = (entries: Readonly<Record<string, string>>) =>
    Object.entries(entries).map(
      ([name, url]) => `  - { name: ${name}, repository: { url: ${url}, ref: main }, interval: 1s }`,
    );
  const write = (entries: Readonly<Record<string, string>>) =>
    writeFile(file, ["kind: Gateway", "data: gateway", "fleets:", ...fleetLines(entries), ""].join("\n"));
  const twin = join(shop.scratch, "twin");
  await git(shop.scratch, "clone", "--quiet", shop.folder, twin);
  await write({ shop: shop.folder, lab: lab.folder, gone: join(shop.scratch, "gone") });
  using gateway = aGateway("--config", file);
  const fleet = (name: string) => gateway.get<GatewayFleet>(`/v1/fleets/${name}`);
  const isApplied = async (name: string) => (await fleet(name)).latest?.standing === "applied";
  await until("both are applied", async () => (await isApplied("shop")) && (await isApplied("lab")), 90_000);
  await until("the one that is gone is told of", async () => (await fleet("gone")).sourceTrouble !== null, 90_000);
  expect(await fleet("gone")).toMatchObject({ isReady: false, notReadyBecause: { code: "SOURCE_UNREADABLE" } });
  expect((await fetch(`${await gateway.url()}/readyz`)).status).toBe(503);

  // A second entry for the same fleet, and one fleet less.
  await write({ shop: shop.folder, twin });
  gateway.signal("SIGHUP");
  const reloaded = await gateway.logs("the file is read again", ({ msg }) => msg === "the file was read again");
  expect(reloaded).toMatchObject({ begun: ["twin"], changed: [], ended: ["lab", "gone"] });
  await until("the twin is refused", async () => (await fleet("twin")).latest?.standing === "refused", 90_000);
  expect((await fleet("twin")).latest?.because).toMatchObject({
    code: "FLEET_MISMATCH",
    message: "the repository names the fleet shop, which shop turns already",
  });

  // A repository that names another fleet than it did would have its VMs deleted.
  await shop.write("fleet.yaml", FLEET.replace("NAME", "other"));
  await commitFiles(shop.folder, {});
  await until("the renaming is refused", async () => (await fleet("shop")).latest?.standing === "refused", 90_000);
  expect((await fleet("shop")).latest?.because?.message).toContain("shop has kept shop until now");

  // What is wrong with the file changes nothing.
  await writeFile(file, "kind: Gateway\nfleets: [{ nam: shop }]\n");
  gateway.signal("SIGHUP");
  await gateway.logs("the mistake is told", ({ msg }) => msg.startsWith("the file could not be read again"));
  expect((await gateway.get<GatewayFleetList>("/v1/fleets")).fleets.map(({ name }) => name)).toEqual(["shop", "twin"]);
  expect((await gateway.stop()).code).toBe(0);
});

test("what is wrong with the file is told before anything is begun, and SIGTERM in an apply leaves a run that goes on", {
  timeout: 180_000,
}, async () => {
  await using fleet = await aLiveFleet("n1");
  const data = join(fleet.scratch, "gateway");
  await writeFile(join(fleet.scratch, "gateway.yaml"), "kind: Gateway\nfleets: [{ nam: shop }]\n");
  using broken = aGateway("--config", join(fleet.scratch, "gateway.yaml"));
  const { code, stderr } = await broken.running.ended;
  expect(code).toBe(1);
  expect(stderr).toContain('did you mean "name"?');

  for (let index = 0; index < 60; index++) await fleet.vm(`web-${index}`);
  await fleet.write("fleet.yaml", `${FLEET.replace("NAME", "test")}  policy: { parallelism: { total: 1 } }\n`);
  await git(fleet.folder, "init", "--quiet", "--initial-branch=main");
  await commitFiles(fleet.folder, {});
  const argv = ["--repo", fleet.folder, "--ref", "main", "--data", data, "--interval", "1s", "--name", "shop"];
  using first = aGateway(...argv);
  await first.logs("it is in the middle", ({ outcome }) => outcome === "done");
  expect((await first.stop()).code).toBe(0);
  const left = first.log().find(({ msg }) => msg.startsWith("a run was left in the middle"));
  expect(left).toMatchObject({ fleet: "shop", run: expect.any(String) });

  using second = aGateway(...argv);
  await second.logs("the rest is done", ({ standing }) => standing === "applied");
  await until("all of them run", async () => (await second.get<GatewayFleet>("/v1/fleets/shop")).vms?.running === 60);
  await second.stop();
});

const FLEET = `apiVersion: odorobo.dev/v1
kind: Fleet
metadata: { name: NAME }
spec:
  defaults: { hypervisor: noop, cpus: 1, memory: 64MiB }
`;
