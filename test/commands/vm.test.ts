import { afterEach, beforeEach, expect, test } from "vitest";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { odorobo, startOdorobo } from "../support/run-odorobo.ts";

let fleet: LiveFleet;
let at: string[];

beforeEach(async () => {
  fleet = await aLiveFleet("n1", "n2");
  at = ["--fleet", fleet.folder];
  await fleet.vm("web-1", ["placement: { node: n1 }"]);
  await fleet.vm("idle-1", ["placement: { node: n2 }", "runStrategy: Manual"]);
  await odorobo("apply", fleet.folder, "--yes");
});
afterEach(() => fleet[Symbol.asyncDispose]());

test("what a person does by hand is done, told, and announced as drift where the manifests want otherwise", async () => {
  const shutdown = await odorobo("vm", "shutdown", "web-1", ...at);
  expect(shutdown).toMatchObject({ code: 0, stderr: "" });
  expect(shutdown.stdout).toMatch(
    /^web-1 on n1: running → stopped .*\nThis will show as drift in the next plan: with runStrategy Always, an apply will boot it again\.\n$/,
  );
  expect((await odorobo("plan", fleet.folder)).stdout).toContain("> web-1 on n1: boot");

  expect((await odorobo("vm", "boot", "web-1", ...at)).stdout).toMatch(/^web-1 on n1: stopped → running in .*\n$/);
  expect((await odorobo("vm", "boot", "web-1", ...at)).stdout).toBe("web-1 on n1: running already, nothing was done\n");
  expect((await odorobo("vm", "pause", "web-1", ...at)).stdout).toContain("an apply will resume it");
  expect((await odorobo("vm", "resume", "web-1", ...at)).stdout).toMatch(/paused → running/);
  expect((await odorobo("vm", "reboot", "web-1", "--grace", "0s", ...at)).stdout).toMatch(/running → running in/);
  expect((await odorobo("plan", fleet.folder, "--detailed-exitcode")).code).toBe(0);
});

test("a VM whose state a person decides shows no drift", async () => {
  const boot = await odorobo("vm", "boot", "idle-1", ...at);
  expect(boot.stdout).toMatch(/^idle-1 on n2: stopped → running in .*\n$/);
  expect((await odorobo("plan", fleet.folder, "--detailed-exitcode")).code).toBe(0);
});

test("what cannot be done is refused with the agent's own words", async () => {
  const pause = await odorobo("vm", "pause", "idle-1", ...at);
  expect(pause).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/^error {2}WRONG_PHASE {2}/) });
});

test("one agent can be asked without manifests", async () => {
  const agent = ["--agent", fleet.url("n1")];
  expect((await odorobo("vm", "list", ...agent)).stdout).toMatch(/^web-1 .*running/m);
  expect((await odorobo("vm", "info", "web-1", ...agent)).stdout).toMatch(/^phase +running/m);
  expect(JSON.parse((await odorobo("vm", "info", "web-1", ...agent, "--json")).stdout)).toMatchObject({
    name: "web-1",
    phase: "running",
  });
  expect((await odorobo("node", "list", ...agent)).stdout).toMatch(/^n1 +up/m);
});

test("a VM that is not there: the nearest name, and which nodes may have it", async () => {
  const typo = await odorobo("vm", "info", "web-l", ...at);
  expect(typo).toMatchObject({
    code: 1,
    stderr: "error  NOT_FOUND  web-l is on no node that answered\nhint: did you mean web-1?\n",
  });
  await fleet.stop("n2");
  const silent = await odorobo("vm", "info", "idle-1", ...at);
  expect(silent.stderr).toContain("n2 did not answer and may have it");
});

test("a list that saw nobody does not say that there is nothing", async () => {
  await Promise.all(["n1", "n2"].map((node) => fleet.stop(node)));
  expect(await odorobo("vm", "list", ...at)).toMatchObject({ code: 4, stdout: "No VM could be seen.\n" });
});

test("lists say what they could not see, and exit with 4", async () => {
  await fleet.stop("n2");
  const list = await odorobo("vm", "list", ...at);
  expect(list).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/^n2 did not answer, what it has is unknown: /),
  });
  expect(list.stdout).not.toContain("idle-1");
  const nodes = await odorobo("node", "ls", ...at);
  expect(nodes).toMatchObject({ code: 4, stdout: expect.stringMatching(/^n2 +silent +\?/m) });
  const status = await odorobo("status", fleet.folder, "--json");
  expect(status.code).toBe(4);
  expect(JSON.parse(status.stdout)).toMatchObject({ kind: "Status", unknown: ["idle-1"], summary: { silentNodes: 1 } });
});

test("logs: the last lines, and with -f what is added until Ctrl-C", async () => {
  const last = await odorobo("vm", "logs", "web-1", "-n", "1", ...at);
  expect(last.code).toBe(0);
  expect(last.stdout.trim().split("\n")).toHaveLength(1);

  const document = await odorobo("vm", "logs", "web-1", "-n", "1", "--json", ...at);
  expect(JSON.parse(document.stdout)).toEqual({
    ...{ kind: "VmLog", version: 1, vm: "web-1", node: expect.any(String) },
    lines: [last.stdout.trimEnd()],
  });
  const endless = await odorobo("vm", "logs", "web-1", "-f", "--json", ...at);
  expect(endless).toMatchObject({ code: 1, stdout: expect.stringContaining("USAGE") });
  using follow = startOdorobo(["vm", "logs", "web-1", "-f", ...at]);
  await follow.waitFor("stdout", "NOOP-START web-1");
  const before = follow.stdout().length;
  await odorobo("vm", "reboot", "web-1", ...at);
  await follow.waitFor("stdout", follow.stdout().slice(0, before));
  follow.child.kill("SIGINT");
  expect(await follow.ended).toMatchObject({ code: 0, stderr: "" });
});

test("a guest without a serial line says so, and where its log is; one that is off is off", async () => {
  expect(await odorobo("vm", "console", "web-1", ...at)).toEqual({
    code: 1,
    stdout: "",
    stderr:
      "error  UNSUPPORTED  web-1 runs on noop, whose guests have no serial console\nhint: its log: odorobo vm logs web-1 --follow\n",
  });
  using off = startOdorobo(["vm", "console", "idle-1", ...at], { input: "" });
  expect(await off.ended).toMatchObject({ code: 0, stderr: "\nidle-1 is off\n" });
});
