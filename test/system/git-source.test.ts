/** A fleet in git: the plan and the agents know the commit. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect } from "vitest";
import type { Plan } from "../../src/plan/plan-document.ts";
import type { StatusDocument } from "../../src/report/status-document.ts";
import { requires } from "../support/requirements.ts";
import { expectRefusal } from "../support/system-refusal.ts";
import { expectCode } from "../support/system-scenario.ts";
import { PATIENT, type SystemWorld, systemTest } from "../support/system-world.ts";

describe.runIf(requires("fleets in git repositories", "git")).concurrent("git", PATIENT, () => {
  systemTest(
    "a branch of a repository: plan and status name its commit, whatever lies in the work tree",
    async ({ world }) => {
      await world.agent("n1");
      await world.vm("web-1");
      const repository = await aRepository(world);
      const first = await repository.commit("one");
      const from = ["--repo", `file://${world.fleet}`, "--ref", "main"];
      // Not committed, so not meant.
      await world.vm("web-2");
      const plan = await expectCode(world.cli("plan", ...from, "--json"), 0);
      expect(JSON.parse(plan.stdout)).toMatchObject({
        base: { commit: first },
        summary: { create: 1 },
      } satisfies DeepPartial<Plan>);
      await expectCode(world.cli("apply", ...from, "--yes"), 0);
      expect(await statusOf(world, from)).toMatchObject({ commit: first, vms: [{ name: "web-1", commit: first }] });

      const second = await repository.commit("two");
      const apply = await expectCode(world.cli("apply", ...from, "--yes"), 0);
      expect(apply.stdout).toContain(second.slice(0, 12));
      expect(await statusOf(world, from)).toMatchObject({
        commit: second,
        vms: [
          // Untouched by the second commit: it is as the first one made it.
          { name: "web-1", commit: first },
          { name: "web-2", commit: second },
        ],
      });
      expect(
        (await expectCode(world.cli("plan", ...from.slice(0, 3), first, "--max-class", "destroy"), 0)).stdout,
      ).toContain("1 to destroy");
    },
  );

  systemTest("a ref that is not there, and a path that is not there", async ({ world }) => {
    await world.node("n1", "http://127.0.0.1:1");
    await world.vm("web-1");
    const repository = await aRepository(world);
    await repository.commit("one");
    const repo = ["--repo", `file://${world.fleet}`];
    expectRefusal(await world.cli("plan", ...repo, "--ref", "mian"), {
      exit: 1,
      code: "SOURCE_REF_NOT_FOUND",
      names: /file:.* has no branch, tag or commit mian/,
      hint: "main",
    });
    expectRefusal(await world.cli("apply", ...repo, "--ref", "main", "--path", "fleets", "--yes"), {
      exit: 1,
      code: "SOURCE_UNREADABLE",
      names: "there is no folder fleets in",
      hint: "is the path right",
    });
  });

  systemTest("a folder inside a work tree: HEAD, and whether it was edited", async ({ world }) => {
    await world.agent("n1");
    await world.vm("web-1");
    const repository = await aRepository(world);
    const head = await repository.commit("one");
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
    expect(await statusOf(world, [world.fleet])).toMatchObject({
      commit: head,
      vms: [{ name: "web-1", commit: head }],
    });
    await world.vm("web-2");
    const plan = await expectCode(world.cli("plan", world.fleet), 0);
    expect(plan.stdout).toContain(`${world.fleet} (edited) at commit ${head.slice(0, 12)}`);
  });
});

type DeepPartial<T> = { [K in keyof T]?: T[K] extends object ? DeepPartial<T[K]> : T[K] };

async function statusOf(world: SystemWorld, from: readonly string[]): Promise<StatusDocument> {
  const { stdout } = await expectCode(world.cli("status", ...from, "--json"), 0);
  return JSON.parse(stdout) as StatusDocument;
}

/** The fleet's folder becomes one, with a branch main. */
async function aRepository({ fleet }: SystemWorld) {
  const run = promisify(execFile);
  const git = async (...args: string[]) => (await run("git", ["-C", fleet, ...args])).stdout.trim();
  await git("init", "--quiet", "--initial-branch=main");
  return {
    async commit(message: string): Promise<string> {
      const who = ["-c", "user.name=test", "-c", "user.email=test@example.net", "-c", "commit.gpgsign=false"];
      await git("add", "--all");
      await git(...who, "commit", "--quiet", "--message", message);
      return await git("rev-parse", "HEAD");
    },
  };
}
