/** `odorobo check` against real agents with noop guests, and from a snapshot. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { aLiveFleet } from "../support/a-live-fleet.ts";
import { expectValid } from "../support/expect-valid.ts";
import { odorobo } from "../support/run-odorobo.ts";

test("exit codes for CI: 0 it survives, 3 somebody finds no home, 4 not all could be looked at; from a snapshot, too", async () => {
  await using fleet = await aLiveFleet("n1", "n2", "n3");
  await fleet.vm("web-1");
  await odorobo("apply", fleet.folder, "--yes");
  const check = (...argv: string[]) => odorobo("check", ...argv);
  expect(await check(fleet.folder, "--survive", "2")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Survives the loss of any two nodes: .*\(1 VM on 3 nodes, 6 cases placed\)\.\n$/),
  });
  await fleet.vm("web-1", ["placement: { nodes: [n1, n2] }"]);
  const pinned = await check(fleet.folder, "--survive", "2");
  expect(pinned.code).toBe(3);
  expect(pinned.stdout).toContain(
    "n1 and n2 down: 1 of 1 VM finds no home\n  web-1: 3 nodes in the fleet, 2 allowed by its placement, 0 that answer\n",
  );
  expect((await check(fleet.folder)).code).toBe(0);
  expect((await check(fleet.folder, "--survive", "2", "--exclude", "web-*")).code).toBe(0);
  const file = join(fleet.scratch, "fleet.json");
  await writeFile(file, (await odorobo("snapshot", fleet.folder)).stdout);
  await fleet.stop("n2");
  await fleet.stop("n3");
  const from = await check("--from", file, "--survive", "2", "--json");
  expect(from.code).toBe(3);
  expectValid(JSON.parse(from.stdout), "survival");
  await fleet.vm("web-1");
  const unseen = await check(fleet.folder);
  // Nobody is left to take it.
  expect(unseen).toMatchObject({ code: 3, stdout: expect.stringContaining("Not looked at: n2, n3") });
  await fleet.comeBack("n3");
  expect((await check(fleet.folder)).code).toBe(4);
  expect(await check(fleet.folder, "--survive", "3")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("--survive"),
  });
});
