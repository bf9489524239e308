/** Applies as runs: killed and taken up, looked at by two, paused, resumed, aborted. The command line as a person has it. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ApplyReport } from "../../src/apply/apply-report.ts";
import type { RunDocument, RunList } from "../../src/report/run-document.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { odorobo, type Running, startOdorobo } from "../support/run-odorobo.ts";

let fleet: LiveFleet;
let state: readonly string[];
const VMS = ["web-1", "web-2", "web-3"];

beforeEach(async () => {
  fleet = await aLiveFleet("n1");
  state = ["--state", join(fleet.scratch, "state")];
  await bootsTake("400ms");
});
const bootsTake = async (delay: string) => {
  for (const name of VMS)
    await fleet.vm(name, ['cloudInit: { userData: "#cloud-config\\npassword: hunter2" }'], {
      "noop.odorobo.dev/boot-delay": delay,
    });
};
afterEach(() => fleet[Symbol.asyncDispose]());

const ONE_BY_ONE = ["--parallelism", "1"];
const start = (...more: string[]): Running =>
  startOdorobo(["apply", fleet.folder, "--yes", ...state, ...ONE_BY_ONE, ...more]);
const runs = (...argv: string[]) => odorobo("runs", ...argv, ...state);
const list = async () => (JSON.parse((await runs("list", "--json")).stdout) as RunList).runs;

/** What every VM went through: a thing done twice would show. */
async function serials(): Promise<unknown> {
  const { vms } = JSON.parse((await odorobo("vm", "list", "--fleet", fleet.folder, "--json")).stdout);
  return vms.map((vm: Record<string, unknown>) => [vm.name, vm.phase, vm.generation]);
}
const AS_APPLIED = VMS.map((name) => [name, "running", 1]);

test("kill -9, and attach carries on: nothing twice, the same output and exit code, no secret in what is kept", async () => {
  using apply = start();
  await apply.waitFor("stderr", "[2/6]");
  apply.child.kill("SIGKILL");
  await apply.ended;
  const [stranded] = await list();
  expect(stranded).toMatchObject({ status: "stranded", counts: { steps: 6 } });

  const attached = await runs("attach");
  expect(attached.code, attached.stderr).toBe(0);
  expect(attached.stdout).toMatch(/\nApplied: 6 done, 0 failed, 0 skipped in /);
  const told = (text: string) =>
    text.split("\n").map((line) => /^\[(\d)\/6\] done +(.*) \(/.exec(line)?.slice(1).join(" "));
  expect(told(attached.stderr).filter((each) => each !== undefined)).toHaveLength(6);
  expect(await serials()).toEqual(AS_APPLIED);
  expect((await odorobo("plan", fleet.folder, "--detailed-exitcode")).code).toBe(0);
  expect(await list()).toMatchObject([{ id: stranded?.id, status: "done", counts: { done: 6 } }]);

  // Once more: it is over, and says the same.
  const again = await runs("attach", stranded?.id ?? "");
  expect(again).toMatchObject({ code: 0, stdout: attached.stdout, stderr: attached.stderr });
  const folder = join(fleet.scratch, "state", "runs", stranded?.id ?? "");
  for (const file of await readdir(folder)) expect(await readFile(join(folder, file), "utf8")).not.toContain("hunter2");
});

test("a second attach looks on, and takes over when the first is killed", async () => {
  using apply = start();
  await apply.waitFor("stderr", "[1/6]");
  // Held where it is until the second has come.
  apply.child.kill("SIGSTOP");
  using second = startOdorobo(["runs", "attach", ...state, "--json"]);
  await second.waitFor("stderr", "[1/6]");
  expect((await list())[0]).toMatchObject({ status: "running" });
  apply.child.kill("SIGKILL");
  const { code, stdout, stderr } = await second.ended;
  expect(code, stderr).toBe(0);
  const report = JSON.parse(stdout) as ApplyReport;
  expect(report).toMatchObject({ kind: "ApplyReport", outcome: "done", counts: { done: 6, failed: 0, skipped: 0 } });
  expect(report.run).toBe((await list())[0]?.id);
  expect(stderr.match(/^\[\d\/6\]/gm)).toHaveLength(6);
  expect(await serials()).toEqual(AS_APPLIED);
});

test("who looks on sees the end of the other's: the same report, the same exit code", async () => {
  using apply = start("--json");
  await apply.waitFor("stderr", "[1/6]");
  apply.child.kill("SIGSTOP");
  using second = startOdorobo(["runs", "attach", ...state, "--json"]);
  await second.waitFor("stderr", "[1/6]");
  apply.child.kill("SIGCONT");
  const [first, other] = await Promise.all([apply.ended, second.ended]);
  expect(first.code, first.stderr).toBe(0);
  expect(other.code, other.stderr).toBe(0);
  expect(JSON.parse(other.stdout)).toEqual(JSON.parse(first.stdout));
});

test("paused by another: what is in flight ends, nothing begins; attach leaves it so, resume carries it on", async () => {
  await bootsTake("1s");
  using apply = start();
  await apply.waitFor("stderr", "[1/6]");
  const paused = await runs("pause");
  expect(paused.code, paused.stderr).toBe(0);
  const { code, stdout } = await apply.ended;
  expect(code).toBe(130);
  expect(stdout).toMatch(
    /\nInterrupted: [\s\S]*\nThe run is paused \(.*\): odorobo runs resume (\S+) --state \S+ carries it on/,
  );
  const [run] = await list();
  expect(run).toMatchObject({ status: "paused", counts: { failed: 0, skipped: 0, inFlight: 0 } });
  expect(run?.counts.done).toBeLessThan(6);

  const attached = await runs("attach");
  expect(attached.code).toBe(130);
  expect(attached.stdout).toContain("odorobo runs resume");
  expect((await list())[0]).toMatchObject({ status: "paused", counts: run?.counts });

  expect(await runs("resume")).toMatchObject({ code: 0, stdout: expect.stringContaining("Applied: 6 done, 0 failed") });
  expect(await serials()).toEqual(AS_APPLIED);
  expect(await runs("resume", run?.id ?? "")).toMatchObject({ code: 1, stderr: expect.stringContaining("RUN_OVER") });
});

test("Ctrl-C leaves it paused; aborted, what had not begun never begins", async () => {
  using apply = start();
  await apply.waitFor("stderr", "[1/6]");
  apply.child.kill("SIGINT");
  const { code, stdout } = await apply.ended;
  expect(code).toBe(130);
  expect(stdout).toContain("The run is paused (Ctrl-C)");
  const [run] = await list();
  const aborted = JSON.parse((await runs("abort", run?.id ?? "", "--json")).stdout) as RunDocument;
  expect(aborted).toMatchObject({ kind: "Run", status: "aborted", report: { outcome: "interrupted" } });
  expect(aborted.report.steps.filter((step) => step.skippedBecause === "aborted").length).toBeGreaterThan(0);
  for (const verb of ["resume", "pause"])
    expect(await runs(verb, run?.id ?? "")).toMatchObject({ code: 1, stderr: expect.stringContaining("RUN_OVER") });
  expect(await runs("abort", run?.id ?? "")).toMatchObject({ code: 0 });
  expect((await runs("attach", run?.id ?? "")).code).toBe(130);
  expect(await runs("show", run?.id ?? "")).toMatchObject({ code: 0, stdout: expect.stringContaining("is aborted") });
  // What was done stays done, and a new plan knows what is left.
  expect((await odorobo("apply", fleet.folder, "--yes", ...state)).code).toBe(0);
  expect(await serials()).toEqual(AS_APPLIED);
});

test("aborted under way: its executor ends what is in flight, and no more", async () => {
  await bootsTake("1s");
  using apply = start();
  await apply.waitFor("stderr", "[1/6]");
  expect((await runs("abort")).code).toBe(0);
  expect((await apply.ended).code).toBe(130);
  expect((await list())[0]).toMatchObject({ status: "aborted", counts: { inFlight: 0 } });
  expect((await list())[0]?.counts.done).toBeLessThan(6);
});

test("a VM that was changed while nobody executed the run costs its own steps alone (5)", async () => {
  using apply = start();
  await apply.waitFor("stderr", "[1/6]");
  apply.child.kill("SIGINT");
  await apply.ended;
  const [run] = await list();
  expect(run?.counts.done).toBeLessThan(5);
  // Another apply makes one of those that had not begun.
  const left = VMS.at(-1) as string;
  expect((await odorobo("apply", fleet.folder, "--yes", ...state, "--target", left)).code).toBe(0);
  const resumed = await runs("resume", run?.id ?? "", "--json");
  expect(resumed.code, resumed.stderr).toBe(5);
  const report = JSON.parse(resumed.stdout) as ApplyReport;
  expect(report.steps.filter((step) => step.outcome === "failed").map(({ vm, error }) => [vm, error?.code])).toEqual([
    [left, "PLAN_STALE"],
  ]);
  expect(report.steps.filter((step) => step.vm !== left).every((step) => step.outcome === "done")).toBe(true);
  expect(await serials()).toEqual(AS_APPLIED);
});

test("no run, several runs, no place for runs", async () => {
  expect(await runs("attach")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("no run is under way or paused"),
  });
  expect(await runs("show", "nothing")).toMatchObject({ code: 1, stderr: expect.stringContaining("NOT_FOUND") });
  expect(await runs("list")).toMatchObject({ code: 0, stdout: "No runs.\n" });
  await fleet.write("../file", "");
  const nowhere = await odorobo("apply", fleet.folder, "--yes", "--state", join(fleet.scratch, "file"));
  expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining("FILE_UNWRITABLE") });
  // Where nobody asked for a place, an apply goes on without one.
  const home = { XDG_STATE_HOME: join(fleet.scratch, "file"), ODOROBO_STATE: undefined };
  const { code, stderr } = await startOdorobo(["apply", fleet.folder, "--yes"], { env: home }).ended;
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("it goes on, and cannot be taken up again");
});
