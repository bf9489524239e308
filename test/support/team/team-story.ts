/** What a team that pushes goes through, whatever its forge is. */
import { expect } from "vitest";
import type { RunList } from "../../../src/report/run-document.ts";
import { bootsIn } from "../system-agent.ts";
import type { SystemWorld } from "../system-world.ts";
import { until } from "../until.ts";
import { PATIENCE_MS, type Team } from "./a-team.ts";

export async function tellTeamStory(world: SystemWorld, team: Team): Promise<void> {
  const isReal = team.hypervisor === "qemu";
  const { n1, push, stands } = team;

  // A push, and the guests run.
  const first = await push("two web servers and a job", async () => {
    await world.vm("web-1", ["placement: { node: n1 }"]);
    await world.vm("web-2", ["placement: { node: n2 }"]);
    await world.vm("job-1", ["placement: { node: n3 }"]);
  });
  await stands(first, "success", "applied");
  expect(await team.phases()).toEqual({ "web-1": "running", "web-2": "running", "job-1": "running" });
  if (isReal) await until("the guest counts", async () => /COUNTER [1-9]/.test(await n1.serial("web-1")), PATIENCE_MS);
  expect((await team.forge.statuses(first)).map(({ state }) => state)).toContain("pending");

  // A pull request, and its plan as one comment, brought up to date by the next push.
  const comment = await team.pullRequest("more-memory", "web-1 gets more memory", ["memory: 96MiB"]);
  expect(comment.body).toMatch(/web-1/);
  expect(comment.body).toMatch(/a restart/);
  const better = await team.pullRequest("more-memory", "and two processors", [
    "cpus: { count: 2, max: 2 }",
    "memory: 96MiB",
  ]);
  expect(better.id).toBe(comment.id);
  expect(better.body).not.toBe(comment.body);
  expect(await team.forge.comments(better.number)).toHaveLength(1);
  expect(bootsIn(await team.log("n1", "web-1"))).toBe(1);

  // Merged: beyond `auto`, so a person is asked, at the commit and at the terminal.
  const merged = await team.merge("more-memory");
  const waiting = await stands(merged, "pending", "odorobo runs approve");
  const runs = JSON.parse((await team.cli("runs", "list", "--json")).stdout) as RunList;
  const asked = runs.runs.find(({ status }) => status === "waiting");
  expect(waiting.line).toContain(asked?.id);
  const before = await team.vm("n1", "web-1");
  expect(before.phase).toBe("running");
  expect((await team.cli("runs", "approve", asked!.id)).code).toBe(0);
  await stands(merged, "success", "applied");
  await until("it has booted once more", async () => bootsIn(await n1.serial("web-1")) === 2, PATIENCE_MS);

  // Killed by hand: its agent starts it again. Shut down by hand: the gateway does.
  const victim = await team.vm("n2", "web-2");
  await team.killGuest(victim, "n2");
  await until(
    "web-2 runs again",
    async () => {
      const now = await team.vm("n2", "web-2");
      return now.phase === "running" && now.serial > victim.serial;
    },
    PATIENCE_MS,
  );
  expect((await team.cliOf("vm", "shutdown", "job-1", "--agent", team.agent("n3").url, "--grace", "5s")).code).toBe(0);
  await until("job-1 runs again", async () => (await team.vm("n3", "job-1")).phase === "running", PATIENCE_MS);

  // Resized past odorobo, and policy says: only report it.
  const reporting = await push("drift is reported only", async () =>
    world.defaults({ hypervisor: team.hypervisor, policy: ["policy: { gateway: { healDrift: report } }"] }),
  );
  await stands(reporting, "success", "");
  expect((await team.cliOf("vm", "resize", "web-2", "--cpus", "2", "--agent", team.agent("n2").url)).code).toBe(0);
  await team.logs("drift is told of", (line) => line.includes('"reverted":[],"left":["web-2"]'));
  expect(await team.vm("n2", "web-2")).toMatchObject({ drift: [{ path: "cpus.count", applied: 1, live: 2 }] });

  // A branch that was rewritten does not contain what is in force: refused, and nothing moves.
  const forced = await team.forcePush("history was rewritten", async () => world.remove("vms/job-1.yaml"));
  await stands(forced, "failure", "does not contain");
  expect(Object.keys(await team.phases())).toContain("job-1");
  await team.restore(reporting);

  // A new VM, and the revert of its commit: gone again, after somebody said so.
  const added = await push("one more", () => world.vm("web-3", ["placement: { node: n3 }"]));
  await stands(added, "success", "applied");
  expect((await team.phases())["web-3"]).toBe("running");
  const reverted = await team.revert(added);
  const { line } = await stands(reverted, "pending", "odorobo runs approve");
  const [, run] = /odorobo runs approve (\S+)/.exec(line) ?? [];
  expect((await team.cli("runs", "approve", run!)).code).toBe(0);
  await stands(reverted, "success", "applied");
  expect(Object.keys(await team.phases()).sort()).toEqual(["job-1", "web-1", "web-2"]);
}
