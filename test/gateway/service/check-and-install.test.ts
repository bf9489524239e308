/** `gateway check` says what can be reached and what to do; `gateway install` writes what a service needs, and nothing over what is not its own. */
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { gatewayUnit } from "../../../src/agent/install/gateway-unit.ts";
import type { GatewayCheck } from "../../../src/report/gateway/gateway-check.ts";
import { aLiveFleet } from "../../support/a-live-fleet.ts";
import { commitFiles, git } from "../../support/a-repository.ts";
import { expectValid } from "../../support/expect-valid.ts";
import { odorobo } from "../../support/run-odorobo.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

test("check: each line says ok, or what is wrong and what to do", { timeout: 60_000 }, async () => {
  await using fleet = await aLiveFleet("n1", "n2");
  await fleet.vm("web-1");
  await git(fleet.folder, "init", "--quiet", "--initial-branch=main");
  await commitFiles(fleet.folder, {});
  await fleet.stop("n2");
  const file = join(fleet.scratch, "gateway.yaml");
  await writeFile(
    file,
    `kind: Gateway
data: gateway
listen: 127.0.0.1:0
fleets:
  - { name: shop, repository: { url: ${fleet.folder}, ref: main } }
  - { name: lab, repository: { url: ${fleet.folder}, ref: mian } }
`,
  );
  const { code, stdout } = await odorobo("gateway", "check", "--config", file, "--json");
  const check = JSON.parse(stdout) as GatewayCheck;
  expectValid(check, "gateway-check");
  expect(code).toBe(1);
  const levels = check.findings.map((each) => [each.fleet, each.check, each.level]);
  expect(levels).toEqual([
    [null, "data", "ok"],
    [null, "clock", "ok"],
    [null, "listen", "ok"],
    [null, "token", "warn"],
    ["shop", "repository", "ok"],
    ["shop", "manifests", "ok"],
    ["shop", "agent n1", "ok"],
    ["shop", "agent n2", "fail"],
    ["lab", "repository", "fail"],
  ]);
  expect(check.findings.at(-1)).toMatchObject({ hint: expect.stringContaining("main") });
  for (const { level, hint } of check.findings) if (level === "fail") expect(hint).not.toBeNull();
  await fleet.comeBack("n2");
});

test("install writes unit and user below a root, changes nothing the second time, and leaves what is not its own", async () => {
  await using root = await aTempFolder();
  await mkdir(join(root.path, "etc"), { recursive: true });
  await writeFile(join(root.path, "etc/passwd"), "odorobo-gateway:x:990:990::/nonexistent:/usr/sbin/nologin\n");
  const install = (...more: string[]) =>
    odorobo("gateway", "install", "--repo", "/srv/fleet.git", "--ref", "main", "--root", root.path, "--json", ...more);
  const first = JSON.parse((await install()).stdout) as { changes: { action: string }[] };
  expectValid(first, "gateway-installation");
  expect(first.changes.map(({ action }) => action)).toEqual(["create", "keep", "create", "create"]);
  const unit = join(root.path, "etc/systemd/system/odorobo-gateway.service");
  const text = await readFile(unit, "utf8");
  expect(text).toContain("StateDirectory=odorobo-gateway\n");
  expect(text).toMatch(/ExecStart=\S+ \S+ gateway --repo \/srv\/fleet.git --ref main\n/);
  const again = JSON.parse((await install()).stdout) as typeof first;
  expect(new Set(again.changes.map(({ action }) => action))).toEqual(new Set(["keep"]));

  await writeFile(unit, "[Service]\nExecStart=/usr/bin/another\n");
  for (const act of ["install", "uninstall"]) {
    const argv = act === "install" ? ["--repo", "/srv/fleet.git"] : [];
    const refused = await odorobo("gateway", act, ...argv, "--root", root.path);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("was not written by odorobo") });
  }
  await writeFile(unit, text);
  const gone = JSON.parse(
    (await odorobo("gateway", "uninstall", "--root", root.path, "--json")).stdout,
  ) as typeof first;
  expectValid(gone, "gateway-installation");
  await expect(readFile(unit)).rejects.toMatchObject({ code: "ENOENT" });
});

test("the unit is understood by systemd, and its service can do little", async (context) => {
  const run = promisify(execFile);
  if (
    !(await run("systemd-analyze", ["--version"]).then(
      () => true,
      () => false,
    ))
  )
    return context.skip("systemd-analyze is not here");
  await using folder = await aTempFolder();
  const path = join(folder.path, "odorobo-gateway.service");
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, gatewayUnit(["/usr/bin/node", "/usr/lib/odorobo/bin/run.js", "gateway"], "/srv/gateway"));
  const { stdout } = await run("systemd-analyze", ["security", "--offline=true", "--no-pager", path]);
  expect(stdout).toMatch(/Overall exposure level for odorobo-gateway.service: [12]\.\d OK/);
});
