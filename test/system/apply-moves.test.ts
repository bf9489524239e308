/** A line of a manifest changes, and a real guest is elsewhere: what it counts goes on, through the command line and two agents. */
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import type { ApplyReport } from "../../src/apply/apply-report.ts";
import { commitFiles, git, makeRepository } from "../support/a-repository.ts";
import { installDouble } from "../support/cloud-hypervisor-double/install.ts";
import { requires } from "../support/requirements.ts";
import { countsOn, type SystemAgent } from "../support/system-agent.ts";
import { expectNothingToDo } from "../support/system-scenario.ts";
import { PATIENT, type SystemWorld, systemTest } from "../support/system-world.ts";

const DISK = "disks: [ { name: data, size: 16MiB } ]";
const on = (node: string, ...spec: string[]) => [`placement: { node: ${node} }`, ...spec];

describe
  .runIf(requires("guests that move through odorobo apply", "qemu-system-x86_64", "qemu-img", "git"))
  .concurrent("qemu", PATIENT, () => {
    systemTest(
      "two guests move after commits that change their placement, and one comes back by `git revert` of its commit",
      async ({ world }) => {
        const [n1, n2] = await twoNodes(world);
        await world.vm("web-1", on("n1"));
        await world.vm("db-1", on("n1", DISK));
        await makeRepository(world.fleet, {});
        const fromGit = ["--repo", `file://${world.fleet}`, "--ref", "main"];
        await apply(world, ...fromGit);
        for (const vm of ["web-1", "db-1"]) await countsOn(n1, vm);

        await world.vm("web-1", on("n2"));
        const before = await commitFiles(world.fleet, {});
        await world.vm("db-1", on("n2", DISK));
        const moving = await commitFiles(world.fleet, {});
        expect(await git(world.fleet, "show", "--format=", "--numstat", moving)).toMatch(/^1\t1\t\S+$/);
        const plan = await world.cli("plan", ...fromGit, "--max-class", "migrate");
        expect(plan.stdout).toContain("Plan: 2 to migrate");
        expect(plan.stdout).toContain(` at commit ${moving.slice(0, 12)},`);
        expect(plan.stdout).toContain("db-1 from n1 to n2: migrate");
        expect(await moved(world, ...fromGit, "--max-class", "migrate")).toEqual([
          "migrateVm db-1 on n2",
          "migrateVm web-1 on n2",
        ]);
        await expectNothingToDo(world);
        for (const vm of ["web-1", "db-1"]) {
          await countsOn(n2, vm);
          expect(await n2.vm(vm)).toMatchObject({ phase: "running", generation: 1 });
          await expectWhole([n1, n2], vm);
        }
        expect(existsSync(join(n2.dataFolder, "vms/db-1/disks/data.raw"))).toBe(true);

        await git(world.fleet, "revert", "--no-edit", moving);
        expect(await git(world.fleet, "diff", "--stat", before, "HEAD")).toBe("");
        expect(await moved(world, ...fromGit)).toEqual(["migrateVm db-1 on n1"]);
        await countsOn(n1, "db-1");
        await expectWhole([n1, n2, n1], "db-1");
        await expectNothingToDo(world);
      },
    );

    systemTest(
      "a guest that is switched off goes with its disks, the same to the last byte, and is started again where it comes back to",
      async ({ world }) => {
        const [n1, n2] = await twoNodes(world);
        const image = join(world.fleet, "base.raw");
        await writeFile(image, randomBytes(4 * 1024 * 1024));
        await world.write(
          "base.yaml",
          `apiVersion: odorobo.dev/v1\nkind: Image\nmetadata: { name: base }\nspec: { path: ${image} }\n`,
        );
        const disks = "disks: [ { name: root, image: base, size: 16MiB }, { name: data, size: 64MiB } ]";
        await world.vm("db-1", on("n1", disks));
        await apply(world);
        await countsOn(n1, "db-1");

        await world.vm("db-1", on("n2", disks, "runStrategy: Stopped"));
        const plan = await world.cli("plan", world.fleet);
        expect(plan.stdout).toContain("it is to be off");
        const path = (agent: SystemAgent, file: string) => join(agent.dataFolder, "vms/db-1/disks", file);
        const sums = async (agent: SystemAgent) =>
          await Promise.all(
            ["root.qcow2", "data.raw"].map(async (file) => [
              await sha256(path(agent, file)),
              (await stat(path(agent, file))).size,
            ]),
          );
        const cold = ["shutdownVm db-1 on n1", "migrateVm db-1 on n2", "updateVm db-1 on n2"];
        expect((await moved(world)).sort()).toEqual(cold.sort());
        expect(await n2.vm("db-1")).toMatchObject({ phase: "stopped", disks: ["data", "root"] });
        expect(await sums(n2)).toEqual(await sums(n1));
        expect((await stat(path(n2, "data.raw"))).blocks).toBeLessThanOrEqual(
          (await stat(path(n1, "data.raw"))).blocks,
        );
        await expectNothingToDo(world);

        await world.vm("db-1", on("n1", disks));
        expect(await moved(world)).toEqual(["bootVm db-1 on n1", "migrateVm db-1 on n1", "updateVm db-1 on n1"]);
        await countsOn(n1, "db-1");
        await expectNothingToDo(world);
      },
    );

    systemTest(
      "a node in maintenance is emptied, and takes its guests back only when it is told to",
      async ({ world }) => {
        const [n1, n2] = await twoNodes(world);
        await world.vm("web-1");
        await apply(world);
        const home = (await n1.report()).vms.some(({ name }) => name === "web-1") ? n1 : n2;
        const other = home === n1 ? n2 : n1;
        await countsOn(home, "web-1");
        const cli = await world.cli(
          "node",
          "drain",
          home.name,
          "--reason",
          "new disks",
          "--yes",
          "--fleet",
          world.fleet,
        );
        expect(cli).toMatchObject({ code: 0 });
        expect(await moved(world)).toEqual([`migrateVm web-1 on ${other.name}`]);
        await countsOn(other, "web-1");
        await expectWhole([home, other], "web-1");
        await expectNothingToDo(world);
      },
    );
  });

describe("Cloud Hypervisor", PATIENT, () => {
  /** One fleet for all: the command line costs more than the moves. */
  systemTest(
    "guests of every version move after a change of one line and come back when it is reverted, one goes to the next version and not back",
    async ({ world }) => {
      const versions = ["50.0", "51.0", "52.0", "53.0", "54.0"];
      await world.defaults({ hypervisor: "cloud-hypervisor" });
      const pairs = new Map(
        await Promise.all(
          versions.map(async (version) => [version, await twoCloudHypervisors(world, version)] as const),
        ),
      );
      const majors = versions.map((version) => version.slice(0, 2));
      const place = (side: "a" | "b") =>
        Promise.all(majors.map((major) => world.vm(`web-${major}`, on(`${side}-${major}`))));
      const [a53] = pairs.get("53.0") as readonly [SystemAgent, SystemAgent];
      const [, b54] = pairs.get("54.0") as readonly [SystemAgent, SystemAgent];
      await place("a");
      await world.vm("up-1", on("a-53"));
      await world.vm("db-1", on("a-53", DISK));
      await apply(world);
      for (const vm of ["up-1", "db-1"]) await countsOn(a53, vm);
      for (const [version, [a]] of pairs) await countsOn(a, `web-${version.slice(0, 2)}`);

      await place("b");
      await world.vm("up-1", on("b-54"));
      await world.vm("db-1", on("b-53", DISK));
      const forth = await world.cli("plan", world.fleet, "--max-class", "migrate");
      expect(forth.stdout).toContain("its disk data is kept on this node, and Cloud Hypervisor sends no disks");
      await world.vm("db-1", on("a-53", DISK));
      const names = majors.map((major) => `migrateVm web-${major} on b-${major}`);
      expect(await moved(world, "--max-class", "migrate")).toEqual(["migrateVm up-1 on b-54", ...names].sort());
      await expectNothingToDo(world);
      await countsOn(b54, "up-1");
      await expectWhole([a53, b54], "up-1");
      for (const [version, [a, b]] of pairs) {
        const vm = `web-${version.slice(0, 2)}`;
        await countsOn(b, vm);
        expect(await b.vm(vm), version).toMatchObject({ phase: "running", generation: 1, drift: [] });
        await expectWhole([a, b], vm);
      }

      await place("a");
      expect(await moved(world, "--max-class", "migrate")).toEqual(names.map((name) => name.replace("on b-", "on a-")));
      for (const [version, [a, b]] of pairs) {
        const vm = `web-${version.slice(0, 2)}`;
        await countsOn(a, vm);
        await expectWhole([a, b, a], vm);
      }
      await world.vm("up-1", on("a-53"));
      const back = await world.cli("plan", world.fleet, "--max-class", "migrate");
      expect(back.stdout).toContain("has cloud-hypervisor 53.0.0, which does not take in what runs on 54.0.0");
    },
  );
});

/** The double, on two nodes. */
async function twoCloudHypervisors(world: SystemWorld, version: string): Promise<readonly [SystemAgent, SystemAgent]> {
  const executable = installDouble(join(world.scratch, `double-${version}`), {
    version,
    knobs: { guest: { counterMs: 100 } },
  });
  const node = (side: "a" | "b") =>
    world.agent(`${side}-${version.slice(0, 2)}`, {
      hypervisors: ["cloud-hypervisor"],
      flags: ["--cloud-hypervisor", executable],
    });
  return await Promise.all([node("a"), node("b")]);
}

async function twoNodes(world: SystemWorld): Promise<readonly [SystemAgent, SystemAgent]> {
  await world.defaults({ hypervisor: "qemu" });
  return await Promise.all([
    world.agent("n1", { hypervisors: ["qemu"] }),
    world.agent("n2", { hypervisors: ["qemu"] }),
  ]);
}

const sha256 = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

/** Of the folder, or of the repository that the flags name. */
async function apply(world: SystemWorld, ...flags: string[]) {
  const where = flags.includes("--repo") ? [] : [world.fleet];
  const done = await world.cli("apply", ...where, "--yes", ...flags);
  expect(done).toMatchObject({ code: 0 });
  return done;
}

async function moved(world: SystemWorld, ...flags: string[]): Promise<string[]> {
  const { stdout } = await apply(world, "--json", ...flags);
  const report = JSON.parse(stdout) as ApplyReport;
  expect(report.outcome).toBe("done");
  return report.steps.map(({ kind, vm, node }) => `${kind} ${vm} on ${node}`).sort();
}

/** What it said on all its ways, joined as it was said: no number is missing, none is said twice, and it was booted once. */
async function expectWhole(way: readonly SystemAgent[], vm: string): Promise<void> {
  const logs = await Promise.all([...new Set(way)].map((agent) => agent.serial(vm)));
  const said = logs.join("");
  expect([...said.matchAll(/TINY-START/g)]).toHaveLength(1);
  const numbers = [...said.matchAll(/COUNTER (\d+)\s/g)].map(([, digits]) => Number(digits)).sort((a, b) => a - b);
  expect(numbers.length).toBeGreaterThan(1);
  expect(new Set(numbers).size).toBe(numbers.length);
  // A line that was split where the guest left is whole again in the logs joined; not where it came back to, for that log goes on.
  const comesBack = new Set(way).size < way.length;
  expect((numbers.at(-1) ?? 0) + 1 - numbers.length).toBeLessThanOrEqual(comesBack ? 1 : 0);
}
