/** A node that was fenced and comes back with its VMs: nothing runs twice by a plan's doing, and people are told what is there twice. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Plan } from "../../src/plan/plan-document.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { odorobo } from "../support/run-odorobo.ts";

let fleet: LiveFleet;

beforeEach(async () => {
  fleet = await aLiveFleet("n1", "n2");
  await fleet.vm("web-1", ["placement: { nodes: [n1, n2] }"]);
  await fleet.vm("web-2", ["placement: { nodes: [n1, n2] }"]);
  await odorobo("apply", fleet.folder, "--yes");
  // One of the two is on n2; n1 was emptier by name.
  expect(await homesOf("web-2")).toEqual(["n2"]);
  await fleet.stop("n2");
});
afterEach(() => fleet[Symbol.asyncDispose]());

const node = (...argv: string[]) => odorobo("node", ...argv, "--fleet", fleet.folder);
const plan = async (): Promise<Plan> => JSON.parse((await odorobo("plan", fleet.folder, "--json")).stdout);
const manifest = () => readFile(join(fleet.folder, "nodes/n2.yaml"), "utf8");

async function homesOf(vm: string): Promise<string[]> {
  const { stdout } = await odorobo("vm", "list", "--fleet", fleet.folder, "--json");
  const { vms } = JSON.parse(stdout) as { vms: { name: string; node: string }[] };
  return vms.filter(({ name }) => name === vm).map((each) => each.node);
}

test("its VMs were started elsewhere; back with them it is touched by nobody until one of the two is gone", async () => {
  expect((await node("fence", "n2", "--confirm")).code).toBe(0);
  expect((await odorobo("apply", fleet.folder, "--yes")).code).toBe(0);
  expect(await homesOf("web-2")).toEqual(["n1"]);

  await fleet.comeBack("n2");
  const back = await odorobo("plan", fleet.folder);
  expect(back.code).toBe(3);
  expect(back.stderr).toMatch(
    /nodes\/n2\.yaml:\d+:\d+ {2}warning {2}n2 is fenced and answers: should it fall silent again/,
  );
  expect(back.stderr).toContain("hint: odorobo node unfence n2");
  expect(await plan()).toMatchObject({ steps: [], blocked: [{ name: "web-2", code: "TWO_HOMES" }] });
  await odorobo("apply", fleet.folder, "--yes");
  expect((await homesOf("web-2")).sort()).toEqual(["n1", "n2"]);

  const unfenced = await node("unfence", "n2", "--yes");
  expect(unfenced.code, unfenced.stderr).toBe(0);
  expect(unfenced.stderr).toContain("n2 answers, and has 1 VM that other nodes have, too: web-2; 1 of them runs here.");
  expect(unfenced.stderr).toContain("odorobo vm delete web-2 --node n2");
  expect(unfenced.stdout).toMatch(/^-.*fenced: true$/m);
  expect(await manifest()).not.toContain("fenced");

  expect((await odorobo("vm", "delete", "web-2", "--node", "n2", "--fleet", fleet.folder, "--yes")).code).toBe(0);
  expect(await homesOf("web-2")).toEqual(["n1"]);
  const after = await odorobo("plan", fleet.folder, "--detailed-exitcode");
  expect(after, after.stdout).toMatchObject({ code: 0, stderr: "" });
});

test("fenced and back before anything was started elsewhere: all is as it was", async () => {
  await node("fence", "n2", "--confirm");
  await fleet.comeBack("n2");
  expect(await plan()).toMatchObject({ steps: [], blocked: [], unknown: [] });
  const unfenced = await node("unfence", "n2", "--yes", "--json");
  expect(JSON.parse(unfenced.stdout)).toMatchObject({ kind: "NodeEdit", outcome: "written" });
  expect(unfenced.stderr).toContain("n2 answers, and has no VM that another node has, too.");
});

test("unfenced while it is silent: what was not started elsewhere is unknown again, what was stays", async () => {
  await node("fence", "n2", "--confirm");
  const before = await plan();
  expect(before.changes).toMatchObject([{ name: "web-2", action: "create", node: "n1" }]);
  const unfenced = await node("unfence", "n2", "--yes");
  expect(unfenced.stderr).toContain("n2 does not answer.");
  expect(await plan()).toMatchObject({ steps: [], unknown: [{ kind: "Node", name: "n2" }, { name: "web-2" }] });
  expect(await node("unfence", "n2", "--yes")).toMatchObject({
    code: 0,
    stdout: "n2 is not fenced already: nothing to write.\n",
  });
  expect(await node("unfence", "n9", "--yes")).toMatchObject({ code: 1, stderr: expect.stringContaining("NOT_FOUND") });
});
