/** `odorobo explain` against real agents with noop guests, over their own sockets, and from a snapshot. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Explanation } from "../../src/what-if/explain-vm.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { expectValid } from "../support/expect-valid.ts";
import { odorobo } from "../support/run-odorobo.ts";

let fleet: LiveFleet;

beforeEach(async () => {
  fleet = await aLiveFleet("n1", "n2");
  await fleet.vm("web-1", ["placement: { node: n1 }", "onDrain: stop"]);
  await odorobo("apply", fleet.folder, "--yes");
});
afterEach(() => fleet[Symbol.asyncDispose]());

const explain = (...argv: string[]) => odorobo("explain", ...argv, "--fleet", fleet.folder);
const documentOf = async (...argv: string[]): Promise<Explanation> => {
  const document = JSON.parse((await explain(...argv, "--json")).stdout);
  expectValid(document, "explanation");
  return document;
};

test("where it is and why, with the places in its manifest", async () => {
  const { code, stdout } = await explain("web-1");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^web-1 is on n1, running\.\n {2}its placement names n1 {2}vms\/web-1\.yaml:8\n\n/);
  expect(stdout).toContain("The plan has nothing to do to it: it is as its manifest says.");
  expect(stdout).toMatch(
    /Nodes it could go to: no node\n {2}2 nodes in the fleet, 1 to choose from, 0 allowed by its placement\n/,
  );
  expect(stdout).toMatch(/ {2}onDrain {9}stop {2}vms\/web-1\.yaml:9\n/);
  expect(stdout).toMatch(/ {2}runStrategy {5}Always {2}\(by default\)\n/);
  expect((await documentOf("web-1")).values).toContainEqual({
    pointer: "/spec/placement/node",
    value: "n1",
    source: { file: "vms/web-1.yaml", line: 8, column: expect.any(Number) },
  });
});

test("what a changed line means: the chain, what it waits for, and why nothing milder", async () => {
  await fleet.vm("web-1", ["placement: { node: n2 }", "memory: 256MiB"]);
  const found = await documentOf("web-1");
  expect(found).toMatchObject({ outcome: "changes", change: { action: "migrate", class: "reboot", node: "n2" } });
  expect(found.steps.map((step) => step.kind)).toEqual(["migrateVm", "updateVm", "rebootVm"]);
  expect(found.rejected.every(({ chain }) => chain[0] === "live")).toBe(true);
  const { stdout } = await explain("web-1");
  expect(stdout).toContain("The plan: migrate, reboot from n1 to n2, because\n");
  expect(stdout).toMatch(/Milder, and why not:\n {2}live of memory\.size: the guest was booted with room for 64 MiB\n/);
});

test("from a snapshot nobody is asked; the same is said", async () => {
  const live = await documentOf("web-1");
  const file = join(fleet.scratch, "fleet.json");
  await writeFile(file, (await odorobo("snapshot", fleet.folder)).stdout);
  await fleet.stop("n1");
  await fleet.stop("n2");
  const { code, stdout } = await odorobo("explain", "web-1", "--from", file, "--json");
  expect(code).toBe(0);
  // A snapshot keeps few places: what has none there is not told as a default.
  expect((await odorobo("explain", "web-1", "--from", file)).stdout).not.toContain("by default");
  expect(JSON.parse(stdout)).toMatchObject({ home: { state: "present", nodes: ["n1"] }, elsewhere: live.elsewhere });
});

test("exit codes: 3 blocked, 4 not seen, 1 nobody's", async () => {
  await fleet.vm("big", ["memory: 900GiB"]);
  expect(await explain("big")).toMatchObject({ code: 3, stdout: expect.stringMatching(/0 with room/) });
  await documentOf("big");
  expect(await explain("wbe-1")).toMatchObject({ code: 1, stderr: expect.stringContaining("did you mean web-1?") });
  await fleet.stop("n1");
  const unseen = await explain("web-1");
  expect(unseen).toMatchObject({ code: 4, stdout: expect.stringContaining("Nobody knows where web-1 is.") });
  await documentOf("web-1");
});
