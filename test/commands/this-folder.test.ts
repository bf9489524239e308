/** Commands that were given no folder: a fleet in this one is read, and what is none is said so at once, not searched for YAML. */
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeRepository } from "../support/a-repository.ts";
import { aDocument } from "../support/manifest-texts.ts";
import { startOdorobo } from "../support/run-odorobo.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const FLEET = aDocument("Fleet", "shop");
const NODE = aDocument("Node", "n1", "address: http://127.0.0.1:1");

async function validateIn(cwd: string, env: NodeJS.ProcessEnv = {}) {
  using running = startOdorobo(["validate"], { cwd, env });
  return await running.ended;
}

describe.concurrent("no folder was named", { timeout: 120_000 }, () => {
  test("here, or one folder deeper, or in a repository: it is read", async () => {
    await using folder = await aTempFolder();
    const at = (...parts: string[]) => join(folder.path, ...parts);
    await mkdir(at("one/fleet"), { recursive: true });
    await mkdir(at("repository"));
    await writeFile(at("one/fleet/fleet.yaml"), `${FLEET}---\n${NODE}`);
    await makeRepository(at("repository"), { "infra/shop/vms/fleet.yaml": `${FLEET}---\n${NODE}` });
    for (const cwd of [at("one/fleet"), at("one"), at("repository")])
      expect(await validateIn(cwd), cwd).toMatchObject({ code: 0, stdout: ".: 1 file, 0 VMs: valid\n" });
  });

  test("/ and a folder of other things: refused by name, and nothing is waited for", async () => {
    await using folder = await aTempFolder();
    await mkdir(join(folder.path, "a/b/c"), { recursive: true });
    await writeFile(join(folder.path, "a/b/c/fleet.yaml"), FLEET);
    await writeFile(join(folder.path, "docker-compose.yaml"), "services: {}\n");
    execFileSync("mkfifo", [join(folder.path, "pipe.yaml")]);
    for (const cwd of ["/", folder.path]) {
      const { code, stderr } = await validateIn(cwd);
      expect(code).toBe(3);
      expect(stderr).toContain(`SOURCE_EMPTY  no folder was named, and there is no fleet in this one, ${cwd}\n`);
      expect(stderr).toContain("export ODOROBO_FLEET=FOLDER");
    }
  });

  test("a home, or where temporary files are: what is beside the fleet is nobody's manifest", async () => {
    await using home = await aTempFolder();
    await mkdir(join(home.path, "vms"));
    await writeFile(join(home.path, "vms/fleet.yaml"), `${FLEET}---\n${NODE}`);
    for (const env of [{ HOME: home.path }, { TMPDIR: home.path }]) {
      const { code, stderr } = await validateIn(home.path, env);
      expect(code).toBe(3);
      expect(stderr).toContain("hint: is it vms? name the folder");
    }
    expect((await validateIn(join(home.path, "vms"), { HOME: home.path })).code).toBe(0);
  });
});
