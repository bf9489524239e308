import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { odorobo } from "../support/run-odorobo.ts";

let fleet: LiveFleet;
beforeEach(async () => {
  fleet = await aLiveFleet("n1");
});
afterEach(() => fleet[Symbol.asyncDispose]());

test("the agent of a node is asked, and says what it found around it", async () => {
  const { stdout, code } = await odorobo("doctor", "--node", "n1", "--fleet", fleet.folder);
  expect(stdout).toMatch(/^ok +port.agent +the agent answers$/m);
  expect(stdout).toMatch(/\nn1: .*\d+ ok\n$/);
  const report = JSON.parse((await odorobo("doctor", "--agent", fleet.url("n1"), "--json")).stdout);
  expect(report).toMatchObject({ kind: "DoctorReport", version: 1, node: "n1" });
  const fails = report.findings.some((finding: { level: string }) => finding.level === "fail");
  expect(code).toBe(fails ? 1 : 0);
});

test("without an agent the command looks for itself, with the folders that it is told", async () => {
  const folder = join(fleet.scratch, "nowhere");
  const { stdout } = await odorobo("doctor", "--local", "--data", folder, "--json");
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ kind: "DoctorReport", node: null });
  const space = report.findings.find((finding: { check: string }) => finding.check === "disk.space");
  expect(space.message).toContain(`for ${folder}; the folder itself is not there yet`);
});

test("an archive is written from what the agent sees, and what its manifests hold in confidence is not in it", async () => {
  await fleet.write(
    "vms/web-1.yaml",
    `apiVersion: odorobo.dev/v1
kind: VirtualMachine
metadata: { name: web-1, annotations: { note: annotation-s3cr3t } }
spec:
  boot: { kernel: "builtin:tiny", cmdline: "quiet key=kernel-s3cr3t" }
  cloudInit: { userData: "#cloud-config\\npassword: cloud-s3cr3t\\n" }
`,
  );
  expect(await odorobo("apply", fleet.folder, "--yes")).toMatchObject({ code: 0 });
  const file = join(fleet.scratch, "n1.tar.gz");
  const told = await odorobo("doctor", "--agent", fleet.url("n1"), "--bundle", file);
  expect(told.stderr).toContain(`${file} is written`);
  const archive = gunzipSync(await readFile(file)).toString("latin1");
  expect(archive).toContain("odorobo-support-n1/report.json");
  expect(archive).toContain("web-1");
  expect(archive).not.toMatch(/s3cr3t/);
});

test("an archive that cannot be written, and a node that is silent, are errors", async () => {
  const nowhere = join(fleet.scratch, "no", "such", "folder.tar.gz");
  expect(await odorobo("doctor", "--agent", fleet.url("n1"), "--bundle", nowhere)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("FILE_UNWRITABLE"),
  });
  await fleet.stop("n1");
  expect(await odorobo("doctor", "--node", "n1", "--fleet", fleet.folder)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("AGENT_UNREACHABLE"),
  });
});
