/** `snapshot`, `plan --from` and `plan --assume`: plans without agents, and plans of worlds that are not so. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Plan } from "../../src/plan/plan-document.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { odorobo } from "../support/run-odorobo.ts";

let fleet: LiveFleet;
let file: string;
const SECRET = "hunter2";

beforeEach(async () => {
  fleet = await aLiveFleet("n1", "n2");
  file = join(fleet.scratch, "fleet.json");
  const cloudInit = `cloudInit: { userData: "#cloud-config\\npassword: ${SECRET}" }`;
  await fleet.vm("web-1", ["placement: { nodes: [n1, n2] }", cloudInit]);
  await fleet.vm("web-2", ["placement: { node: n2 }"]);
  expect((await odorobo("apply", fleet.folder, "--yes")).code).toBe(0);
});
afterEach(() => fleet[Symbol.asyncDispose]());

async function take(): Promise<void> {
  const { code, stdout, stderr } = await odorobo("snapshot", fleet.folder);
  expect(code, stderr).toBe(0);
  await writeFile(file, stdout);
}
const planned = async (...argv: string[]) => JSON.parse((await odorobo("plan", ...argv, "--json")).stdout) as Plan;
async function homeOf(name: string): Promise<string> {
  const { vms } = JSON.parse((await odorobo("vm", "list", "--fleet", fleet.folder, "--json")).stdout);
  return vms.find((vm: { name: string }) => vm.name === name).node;
}

test("the plan of that moment, places included, when nobody answers any more; no secret in it", async () => {
  await fleet.vm("web-2", ["placement: { node: n2 }", "onDrain: stop"]);
  await fleet.vm("web-3", ["placement: { node: n1 }"]);
  const live = await planned(fleet.folder);
  await take();
  expect(await readFile(file, "utf8")).not.toContain(SECRET);
  await fleet.stop("n1");
  await fleet.stop("n2");
  const from = await planned("--from", file);
  const { observedAt: _, ...base } = live.base;
  expect({ ...from, base: undefined }).toEqual({ ...live, base: undefined });
  expect(from.base).toMatchObject(base);
  expect(from.id).toBe(live.id);
  expect((await odorobo("plan", "--from", file)).stdout).toContain("onDrain migrate → stop  vms/web-2.yaml:9");
  expect(await odorobo("plan", "--from", file, fleet.folder)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("USAGE"),
  });
});

test("a plan from a snapshot is applied only after the world was looked at", async () => {
  await fleet.vm("web-3", ["placement: { node: n1 }"]);
  await take();
  const saved = join(fleet.scratch, "plan.json");
  const { stdout } = await odorobo("plan", "--from", file, "--out", saved);
  expect(stdout).toContain(`To carry it out: odorobo apply ${saved}`);
  const apply = () => odorobo("apply", saved, "--fleet", fleet.folder, "--yes");
  expect((await apply()).code).toBe(0);
  expect(await apply()).toMatchObject({ code: 5, stderr: expect.stringContaining("PLAN_STALE") });
});

test("what if a node were down, or down and fenced; such a plan is saved by nobody and applied by nobody", async () => {
  const home = await homeOf("web-1");
  const down = await odorobo("plan", fleet.folder, "--assume", "n2=down");
  expect(down.code).toBe(4);
  expect(down.stdout).toMatch(/, assuming n2=down, plan [0-9a-f]+\n/);
  expect(down.stdout).toContain("? node n2: assumed to be down");
  expect(down.stdout).not.toContain("To carry it out");
  const fenced = await planned(fleet.folder, "--assume", `${home}=fenced`);
  expect(fenced.base.assumed).toEqual([`${home}=fenced`]);
  expect(fenced.changes.find(({ name }) => name === "web-1")).toMatchObject({
    action: "create",
    node: home === "n1" ? "n2" : "n1",
  });
  await take();
  expect((await planned("--from", file, "--assume", `${home}=fenced`)).steps).toEqual(fenced.steps);

  expect(await odorobo("plan", fleet.folder, "--assume", "n2=down", "--out", "x.json")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("leave out --out"),
  });
  const saved = join(fleet.scratch, "plan.json");
  await writeFile(saved, JSON.stringify(fenced));
  expect(await odorobo("apply", saved, "--fleet", fleet.folder, "--yes")).toMatchObject({
    code: 3,
    stderr: expect.stringContaining(`a world that was assumed, not seen: ${home}=fenced`),
  });
  for (const [text, message] of [
    ["n9=down", "there is no node n9"],
    ["n1=gone", "is not NODE=STATE"],
    ["n1", "is not NODE=STATE"],
  ] as const)
    expect(await odorobo("plan", fleet.folder, "--assume", text)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(message),
    });
});

test("a silent node is in it as silent (4); what is no snapshot is told", async () => {
  await fleet.stop("n2");
  const { code, stdout } = await odorobo("snapshot", fleet.folder, "--json");
  expect(code).toBe(4);
  await writeFile(file, stdout);
  expect((await odorobo("plan", "--from", file)).code).toBe(4);
  const whole = JSON.parse(stdout);
  for (const [content, message] of [
    ["{}", "is not a snapshot"],
    [stdout.slice(0, 200), "cannot be read as JSON"],
    [JSON.stringify({ ...whole, version: 2 }), "of version 2"],
    [
      JSON.stringify({ ...whole, observed: { ...whole.observed, nodes: [{}] } }),
      "not a whole snapshot: observed.nodes",
    ],
  ] as const) {
    await writeFile(file, content);
    expect(await odorobo("plan", "--from", file)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(new RegExp(`SNAPSHOT_INVALID[\\s\\S]*${message}`)),
    });
  }
  expect(await odorobo("plan", "--from", join(fleet.scratch, "nothing"))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("is not there"),
  });
});
