/** Saved plans, guards and budgets through the command line: what must not be done is refused whole, says why, and changes nothing. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { expectRefusal } from "../support/system-refusal.ts";
import { expectCode, expectNothingToDo } from "../support/system-scenario.ts";
import { PATIENT, type SystemWorld, systemTest } from "../support/system-world.ts";

describe.concurrent("plans that must not be applied", PATIENT, () => {
  systemTest("a plan file that was cut, edited, made by another version, or is none", async ({ world }) => {
    const n1 = await world.agent("n1");
    await world.vm("web-1");
    await expectCode(world.cli("plan", world.fleet, "--out", "plan.json"), 0);
    const text = await readFile(join(world.scratch, "plan.json"), "utf8");
    const apply = async (content: string | Buffer) => {
      await writeFile(join(world.scratch, "bad.json"), content);
      return await world.cli("apply", "bad.json", "--fleet", world.fleet, "--yes");
    };
    const invalid = { exit: 1, code: "PLAN_FILE_INVALID", hint: "odorobo plan --out" };
    expectRefusal(await apply(text.slice(0, text.length / 2)), { ...invalid, names: "bad.json is cut off" });
    const edited = text.replace('"sizeMiB": 64', '"sizeMiB": 65');
    expect(edited).not.toBe(text);
    expectRefusal(await apply(edited), { ...invalid, names: "bad.json was changed after it was made" });
    const newer = text.replace('"version": 1', '"version": 2');
    expectRefusal(await apply(newer), {
      exit: 1,
      code: "PLAN_VERSION",
      names: "made by version 2",
      hint: "that made it",
    });
    expectRefusal(await apply(""), { ...invalid, names: "bad.json is empty" });
    expectRefusal(await apply(Buffer.from([0, 255, 1])), { ...invalid, names: "bad.json is not JSON" });
    expectRefusal(await apply('{"kind":"Status"}'), { ...invalid, names: 'a document of kind "Status"' });
    expectRefusal(await world.cli("apply", "none.json", "--fleet", world.fleet, "--yes"), {
      ...invalid,
      names: "none.json",
    });
    expect(await n1.report()).toMatchObject({ vms: [] });
  });

  systemTest("a plan whose VM has moved on (5) names it; the others' plans still hold", async ({ world }) => {
    const n1 = await world.agent("n1");
    await world.vm("web-1");
    await world.vm("web-2");
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
    await world.vm("web-1", ["onDrain: stop"]);
    await world.vm("web-2", ["onDrain: stop"]);
    await expectCode(world.cli("plan", world.fleet, "--out", "one.json", "--target", "web-1"), 0);
    await expectCode(world.cli("plan", world.fleet, "--out", "two.json", "--target", "web-2"), 0);
    await expectCode(world.cli("vm", "reboot", "web-1", "--fleet", world.fleet), 0);
    const before = await n1.vm("web-1");
    expectRefusal(await world.cli("apply", "one.json", "--fleet", world.fleet, "--yes"), {
      exit: 5,
      code: "PLAN_STALE",
      names: /web-1: the plan saw generation 1, serial 2 on n1; now generation 1, serial \d+ on n1/,
      hint: "nothing was begun; make a new plan",
    });
    expect(await n1.vm("web-1")).toMatchObject({ serial: before.serial, generation: 1 });
    await expectCode(world.cli("apply", "two.json", "--fleet", world.fleet, "--yes"), 0);
    expect(await n1.vm("web-2")).toMatchObject({ generation: 2 });
  });

  systemTest("an empty or wrong source deletes nothing (3)", async ({ world }) => {
    const n1 = await world.agent("n1");
    await world.vm("web-1");
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
    await world.remove("vms/web-1.yaml");
    const empty = { exit: 3, code: "SOURCE_EMPTY", names: "the fleet test has 1", hint: "odorobo destroy" };
    expectRefusal(await world.cli("apply", world.fleet, "--yes"), empty);
    expectRefusal(await world.cli("apply", world.fleet, "--yes", "--allow-destroy", "99"), empty);
    expect(await n1.vm("web-1")).toMatchObject({ phase: "running" });
  });

  systemTest("the guard on many deletions (3), and the number that lets them pass", async ({ world }) => {
    await world.defaults({ policy: ["policy: { destroyGuard: { count: 1 } }"] });
    const n1 = await world.agent("n1");
    const names = ["web-1", "web-2", "web-3"];
    for (const name of names) await world.vm(name);
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
    for (const name of names.slice(1)) await world.remove(`vms/${name}.yaml`);
    const refusal = { exit: 3, code: "PLAN_REFUSED", names: /2 of 3 VMs.*web-2, web-3/, hint: "--allow-destroy 2" };
    expectRefusal(await world.cli("apply", world.fleet, "--yes"), refusal);
    expectRefusal(await world.cli("apply", world.fleet, "--yes", "--allow-destroy", "1"), refusal);
    expect((await n1.report()).vms).toHaveLength(3);
    await expectCode(world.cli("apply", world.fleet, "--yes", "--allow-destroy", "2"), 0);
    expect((await n1.report()).vms).toHaveLength(1);
    await expectNothingToDo(world);
  });

  systemTest("a budget (--max-class) refuses what is worse (3)", async ({ world }) => {
    const n1 = await world.agent("n1");
    await world.vm("web-1");
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
    const { serial } = await n1.vm("web-1");
    await world.vm("web-1", ["memory: 128MiB"]);
    expectRefusal(await world.cli("apply", world.fleet, "--yes", "--max-class", "live"), {
      exit: 3,
      code: "PLAN_REFUSED",
      names: "at most live is allowed: web-1 would need reboot",
      hint: "--max-class reboot",
    });
    expect(await n1.vm("web-1")).toMatchObject({ serial });
    await expectCode(world.cli("apply", world.fleet, "--yes", "--max-class", "reboot"), 0);
    await expectNothingToDo(world);
  });

  systemTest(
    "a node that does not answer is unknown (4): its VMs are left alone, the rest is applied",
    async ({ world }) => {
      const [n1, n2] = await Promise.all([world.agent("n1"), world.agent("n2")]);
      await world.vm("web-1", ["placement: { node: n1 }"]);
      await world.vm("web-2", ["placement: { node: n2 }"]);
      await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
      const { serial } = await n2.vm("web-2");
      await n2.kill();
      // Whatever the manifests now say, it may still run there.
      await world.vm("web-2", ["placement: { node: n1 }"]);
      await world.vm("web-1", ["placement: { node: n1 }", "cpus: { count: 2, max: 2 }"]);
      const apply = await expectCode(world.cli("apply", world.fleet, "--yes", "--max-class", "destroy"), 4);
      expect(apply.stdout).toMatch(/\? node n2: cannot reach/);
      expect(apply.stdout).toMatch(/\? web-2: may be on n2/);
      expect(apply.stdout).toContain("Applied: 1 done, 0 failed, 0 skipped");
      expect((await n1.report()).vms).toMatchObject([{ name: "web-1", live: { cpus: { count: 2 } } }]);
      await n2.start();
      expect(await n2.vm("web-2")).toMatchObject({ phase: "running", serial });
    },
  );
});

describe.concurrent("two applies at once", PATIENT, () => {
  systemTest(
    "of the same change: together they reach the goal, and each is told exactly why not",
    async ({ world }) => {
      const n1 = await twoVms(world);
      const both = [1, 2].map(() => world.start("apply", world.fleet, "--yes"));
      for (const { ended } of both) {
        const { code, stdout, stderr } = await ended;
        expect(stderr).not.toMatch(/\n\s+at /);
        expect([0, 1, 4, 5], stdout + stderr).toContain(code);
        if (code === 1 || code === 5) expect(stdout).toMatch(/failed {2}\w+ web-\d on n1: .*web-\d .*\n {10}hint: /);
        if (code === 4) expect(stdout).toMatch(/web-\d.*: an operation is under way on n1/);
      }
      // One may have come when the other was in the middle; then there is one step left at most.
      await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
      await expectNothingToDo(world);
      for (const name of ["web-1", "web-2"]) {
        expect(await n1.vm(name)).toMatchObject({ phase: "running", generation: 1 });
        expect((await n1.serial(name)).match(/NOOP-START/g)).toHaveLength(1);
      }
    },
  );

  systemTest("of the same saved plan: each step is done once", async ({ world }) => {
    const n1 = await twoVms(world);
    await expectCode(world.cli("plan", world.fleet, "--out", "plan.json"), 0);
    const both = [1, 2].map(() => world.start("apply", "plan.json", "--fleet", world.fleet, "--yes"));
    const outcomes = await Promise.all(both.map(({ ended }) => ended));
    const codes = outcomes.map(({ code }) => code);
    expect(codes, outcomes.map(({ stdout, stderr }) => stdout + stderr).join("\n")).toContain(0);
    for (const code of codes) expect([0, 5]).toContain(code);
    await expectNothingToDo(world);
    for (const name of ["web-1", "web-2"]) expect((await n1.serial(name)).match(/NOOP-START/g)).toHaveLength(1);
  });

  systemTest("of different VMs: both succeed", async ({ world }) => {
    await twoVms(world);
    const both = ["web-1", "web-2"].map((name) => world.start("apply", world.fleet, "--yes", "--target", name));
    for (const { ended } of both)
      expect(await ended).toMatchObject({ code: 0, stdout: expect.stringContaining("Applied: 2 done") });
    await expectNothingToDo(world);
  });
});

async function twoVms(world: SystemWorld) {
  const n1 = await world.agent("n1");
  for (const name of ["web-1", "web-2"]) await world.vm(name, [], { "noop.odorobo.dev/boot-delay": "300ms" });
  return n1;
}
