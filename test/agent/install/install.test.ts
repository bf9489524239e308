/** `odorobo agent install` into a folder that stands for a machine: what is written, and that it is written once. */
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { requires } from "../../support/requirements.ts";
import { odorobo } from "../../support/run-odorobo.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const UNIT = "etc/systemd/system/odorobo-agent.service";
const schema = async () =>
  JSON.parse(await readFile(new URL("../../../schemas/agent-installation.schema.json", import.meta.url), "utf8"));

const actions = (stdout: string): readonly string[] =>
  (JSON.parse(stdout) as { changes: { what: string; name: string; action: string }[] }).changes.map(
    ({ what, name, action }) => `${action} ${what} ${name}`,
  );

test("a dry run writes nothing, and its document fits its schema", async () => {
  await using root = await aTempFolder();
  const { code, stdout } = await odorobo("agent", "install", "--root", root.path, "--dry-run", "--json");
  expect(code).toBe(0);
  const check = new Ajv2020().compile(await schema());
  expect(check(JSON.parse(stdout)), JSON.stringify(check.errors)).toBe(true);
  expect(actions(stdout)).toContain("create file /etc/systemd/system/odorobo-agent.service");
  expect(await readdir(root.path)).toEqual([]);
});

test("flags that no agent would start with are refused before anything is written", async () => {
  await using root = await aTempFolder();
  const refused = await odorobo("agent", "install", "--root", root.path, "--listen", "0.0.0.0:8890");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("AGENT_INSECURE") });
  expect(await readdir(root.path)).toEqual([]);
});

test("without systemd an installation is refused before anything is written", async () => {
  await using folder = await aTempFolder();
  const nowhere = `unix:path=${join(folder.path, "bus")}`;
  const refused = await odorobo("agent", "install", "--bus", nowhere);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("SUPERVISOR_UNAVAILABLE") });
  expect(refused.stdout).toBe("");
});

describe.runIf(requires("installing an agent", "systemd-sysusers"))("into a folder", () => {
  test("once is enough; other flags change the unit; an uninstall leaves what people put there", async () => {
    await using root = await aTempFolder();
    const install = (...flags: string[]) =>
      odorobo("agent", "install", "--root", root.path, "--name", "n1", "--json", ...flags);
    const first = await install();
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(await readFile(join(root.path, UNIT), "utf8")).toContain(" agent --name n1 ");
    expect(await readFile(join(root.path, "etc/passwd"), "utf8")).toMatch(/^odorobo-vm:.*nologin$/m);
    expect((await stat(join(root.path, "var/lib/odorobo"))).mode & 0o777).toBe(0o700);

    expect(actions((await install()).stdout).filter((line) => !line.startsWith("keep"))).toEqual([]);
    expect(actions((await install("--cpus", "4")).stdout).filter((line) => !line.startsWith("keep"))).toEqual([
      "change file /etc/systemd/system/odorobo-agent.service",
    ]);
    expect(await readFile(join(root.path, UNIT), "utf8")).toContain(" --cpus 4");

    await writeFile(join(root.path, "etc/odorobo/hooks/before-boot.d/check"), "#!/bin/sh\n");
    await mkdir(join(root.path, "var/lib/odorobo/vms"));
    const gone = await odorobo("agent", "uninstall", "--root", root.path, "--json");
    expect(actions(gone.stdout)).toEqual(
      expect.arrayContaining([
        "remove file /etc/systemd/system/odorobo-agent.service",
        "remove folder /etc/odorobo/hooks/after-boot.d",
        "keep folder /etc/odorobo/hooks/before-boot.d",
        "keep folder /etc/odorobo/hooks",
        "keep user odorobo-vm",
      ]),
    );
    expect(await readdir(join(root.path, "etc/odorobo/hooks"))).toEqual(["before-boot.d"]);
    expect(await readdir(join(root.path, "var/lib/odorobo"))).toEqual(["vms"]);
    expect(actions((await odorobo("agent", "uninstall", "--root", root.path, "--json")).stdout)).not.toContainEqual(
      expect.stringMatching(/^remove/),
    );
  });
});
