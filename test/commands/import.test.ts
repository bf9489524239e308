/** `odorobo import`: a folder that is a fleet, and the plan of it. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectValid } from "../support/expect-valid.ts";
import { odorobo } from "../support/run-odorobo.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const DOMAINS = join(import.meta.dirname, "../import/domains");

test("guests of libvirt become a folder whose plan is shown, and nothing runs because of that", async () => {
  await using folder = await aTempFolder();
  const into = join(folder.path, "My Fleet");
  const { code, stdout } = await odorobo(
    "import",
    join(DOMAINS, "web.xml"),
    "--into",
    into,
    "--node",
    "n1",
    "--address",
    "http://127.0.0.1:9",
  );
  expect(stdout).toContain('web-server-old, called "Web Server (old)" there: vms/web-server-old.yaml');
  expect(stdout).toContain("  lost    graphics type='vnc'");
  expect(stdout).toMatch(/1 VM in .*: \d+ lost, \d+ changed, \d to check\./);
  expect(stdout).toContain("? node n1: cannot reach http://127.0.0.1:9");
  expect(stdout).toContain("shut it down in libvirt");
  expect(stdout).not.toContain("hunter2");
  expect(code).toBe(0);
  expect(readdirSync(into).sort()).toEqual([".odorobo", "fleet.yaml", "networks.yaml", "nodes", "vms"]);
  const manifest = readFileSync(join(into, "vms/web-server-old.yaml"), "utf8");
  expect(manifest).toContain("runStrategy: Manual");
  expect(manifest).not.toContain("hunter2");
  expect((await odorobo("validate", into)).code).toBe(0);
});

test("a folder of them, as a document; what cannot be read does not stop the rest", async () => {
  await using folder = await aTempFolder();
  const from = join(folder.path, "qemu");
  mkdirSync(join(from, "networks"), { recursive: true });
  for (const name of ["windows.xml", "several.xml"]) cpSync(join(DOMAINS, name), join(from, name));
  writeFileSync(join(from, "notes.txt"), "not read");
  const into = join(folder.path, "fleet");
  const { code, stdout } = await odorobo(
    "import",
    from,
    "--into",
    into,
    "--node",
    "n1",
    "--address",
    "http://127.0.0.1:9",
    "--json",
  );
  const report = JSON.parse(stdout);
  expectValid(report, "import-report");
  expect(report.vms.map(({ name }: { name: string }) => name)).toEqual(["a", "a-2", "win11"]);
  expect(report.problems).toHaveLength(4);
  expect(code).toBe(1);
});

test("two guests that say the same disk are written, told, and the exit code says so", async () => {
  await using folder = await aTempFolder();
  const text = readFileSync(join(DOMAINS, "web.xml"), "utf8");
  const twice = join(folder.path, "twice.xml");
  writeFileSync(twice, `${text}${text.replace("Web Server", "Other")}`);
  const into = join(folder.path, "fleet");
  const { code, stdout, stderr } = await odorobo("import", twice, "--into", into, "--node", "n1", "--json");
  expect(JSON.parse(stdout).vms).toHaveLength(2);
  expect(stderr).toContain("two guests that write to one disk destroy it");
  expect(code).toBe(1);
});

test("a folder that holds a fleet is left as it is; nothing readable writes nothing", async () => {
  await using folder = await aTempFolder();
  const into = join(folder.path, "fleet");
  mkdirSync(into);
  writeFileSync(join(into, "fleet.yaml"), "mine");
  const taken = await odorobo("import", join(DOMAINS, "web.xml"), "--into", into);
  expect(taken).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("already holds fleet.yaml; nothing was written"),
  });
  expect(readdirSync(into)).toEqual(["fleet.yaml"]);
  const bad = join(folder.path, "bad.xml");
  writeFileSync(bad, "<domain type='xen'><name>d</name></domain>");
  const none = await odorobo("import", bad, "--into", join(folder.path, "new"));
  expect(none).toMatchObject({ code: 1, stdout: expect.stringContaining("bad.xml:1:1: the domain d is of type xen") });
  expect(existsSync(join(folder.path, "new"))).toBe(false);
  const missing = await odorobo("import", join(folder.path, "no.xml"), "--into", into);
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining("IMPORT_UNREADABLE") });
  const flag = await odorobo("import", bad, "--into", into, "--bridge", "lan");
  expect(flag).toMatchObject({ code: 1, stderr: expect.stringContaining("--bridge lan names no network and bridge") });
});
