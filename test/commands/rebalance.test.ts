/** `odorobo rebalance`: a plan is saved, applied like any other, and the second finds nothing. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { aLiveFleet } from "../support/a-live-fleet.ts";
import { expectValid } from "../support/expect-valid.ts";
import { odorobo } from "../support/run-odorobo.ts";

test("proposed, saved, applied; then nothing more, and the next plan leaves them there", async () => {
  await using fleet = await aLiveFleet("n1", "n2");
  const names = ["web-1", "web-2", "web-3", "web-4"];
  for (const name of names) await fleet.vm(name, ["placement: { node: n1 }", "memory: 2GiB"]);
  await odorobo("apply", fleet.folder, "--yes");
  for (const name of names) await fleet.vm(name, ["memory: 2GiB"]);
  const rebalance = (...flags: string[]) => odorobo("rebalance", fleet.folder, ...flags);
  // Booted a moment ago.
  expect(await rebalance("--detailed-exitcode")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Nobody is moved: /),
  });

  const file = join(fleet.scratch, "moves.json");
  const proposed = await rebalance("--hold", "0s", "--out", file, "--detailed-exitcode");
  expect(proposed.code, proposed.stderr).toBe(2);
  expect(proposed.stdout).toMatch(
    /^2 guests would move; the fullest node is (\d+) % full, and (\d+) % afterwards:\n {2}n1 {2}\1 % → \2 %\n {2}n2 {2}0 % → \2 %\n/,
  );
  expect(proposed.stdout).toContain(`To carry it out: odorobo apply ${file} --fleet ${fleet.folder}\n`);
  expectValid(JSON.parse((await rebalance("--hold", "0s", "--json")).stdout), "plan");
  expect((await rebalance("--hold", "0s", "--min-gain", "25")).stdout).toMatch(/^Nobody is moved: /);
  expect((await rebalance("--hold", "0s", "--max-class", "live")).code).toBe(3);

  const applied = await odorobo("apply", file, "--fleet", fleet.folder, "--yes");
  expect(applied.code, applied.stderr).toBe(0);
  const { vms } = JSON.parse((await odorobo("vm", "list", "--fleet", fleet.folder, "--json")).stdout) as {
    vms: { name: string; node: string; phase: string }[];
  };
  expect(vms.filter(({ phase, node }) => phase === "running" && node === "n2")).toHaveLength(2);
  expect((await rebalance("--hold", "0s", "--detailed-exitcode")).code).toBe(0);
  expect((await odorobo("plan", fleet.folder, "--detailed-exitcode")).code).toBe(0);
  // A plan of before is stale by now.
  expect((await odorobo("apply", file, "--fleet", fleet.folder, "--yes")).code).toBe(5);
});
