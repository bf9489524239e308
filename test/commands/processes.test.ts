/** What only a process of its own can show: signals, pipes, start-up, and the machine's own Node. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { odorobo, startOdorobo } from "../support/run-odorobo.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const VERSION = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version;

let fleet: LiveFleet;
beforeEach(async () => {
  fleet = await aLiveFleet("n1");
});
afterEach(() => fleet[Symbol.asyncDispose]());

test("Ctrl-C: what is in flight is finished, nothing new is begun (130), and the next apply goes on", async () => {
  for (const n of [1, 2, 3]) await fleet.vm(`slow-${n}`, [], { "noop.odorobo.dev/boot-delay": "700ms" });
  using apply = startOdorobo(["apply", fleet.folder, "--yes", "--parallelism", "1"]);
  await apply.waitFor("stderr", "create slow-1");
  apply.child.kill("SIGINT");
  await apply.waitFor("stderr", "Interrupted: finishing 1 in flight");
  const { code, stdout } = await apply.ended;
  expect(code).toBe(130);
  expect(stdout).toMatch(/Interrupted: \d done, 0 failed, \d skipped/);
  expect(stdout).toMatch(/skipped .*: interrupted/);

  const next = await odorobo("apply", fleet.folder, "--yes");
  expect(next.code).toBe(0);
  expect((await odorobo("plan", fleet.folder, "--detailed-exitcode")).code).toBe(0);
});

test("a second Ctrl-C stops the waiting at once; the agent finishes what it has begun", async () => {
  await fleet.vm("slow-1", [], { "noop.odorobo.dev/boot-delay": "3s" });
  using apply = startOdorobo(["apply", fleet.folder, "--yes"]);
  await apply.waitFor("stderr", "create slow-1");
  apply.child.kill("SIGINT");
  await apply.waitFor("stderr", "Interrupted");
  apply.child.kill("SIGINT");
  expect((await apply.ended).code).toBe(130);
  const status = JSON.parse((await odorobo("vm", "list", "--fleet", fleet.folder, "--json")).stdout);
  expect(status.vms[0].phase).toBe("starting");
});

test("a reader that goes away early is no error", async () => {
  for (let n = 1; n <= 30; n++) await fleet.vm(`web-${n}`);
  using plan = startOdorobo(["plan", fleet.folder, "--json"]);
  plan.child.stdout?.destroy();
  expect(await plan.ended).toMatchObject({ code: 0, stderr: "" });
});

test("an agent says when it is ready, and a signal stops it gracefully", async () => {
  const folders = ["--data", join(fleet.scratch, "x", "d"), "--run", join(fleet.scratch, "x", "r")];
  using agent = startOdorobo(["agent", "--name", "x", "--listen", "127.0.0.1:0", "--hypervisor", "noop", ...folders]);
  const ready = await agent.waitFor("stdout", "ready on");
  const url = /ready on (\S+)/.exec(ready)?.[1] ?? "";
  expect((await odorobo("node", "list", "--agent", url)).stdout).toMatch(/^x +up/m);

  using second = startOdorobo(["agent", "--name", "x", "--listen", "127.0.0.1:0", ...folders]);
  expect(await second.ended).toMatchObject({ code: 1, stderr: expect.stringContaining("error  DATA_FOLDER_IN_USE") });
  agent.child.kill("SIGTERM");
  expect((await agent.ended).code).toBe(0);
});

test("an agent that others could reach needs a secret", async () => {
  using agent = startOdorobo(["agent", "--name", "x", "--listen", "0.0.0.0:0"]);
  expect(await agent.ended).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error {2}AGENT_INSECURE .*\nhint: give --token-file/),
  });
});

test("--version is answered before anything is loaded", () => {
  const timed = (...args: string[]) => {
    const begun = performance.now();
    const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
    return { stdout, milliseconds: performance.now() - begun };
  };
  // Beside a Node that does nothing, turn by turn: the machine may be busy. Loading the command line takes ten times as long.
  let [bare, version] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < 5; round++) {
    bare = Math.min(bare, timed("-e", "0").milliseconds);
    const said = timed(join(ROOT, "bin/dev.js"), "--version");
    expect(said.stdout).toBe(`odorobo/${VERSION} ${process.platform}-${process.arch} node-${process.version}\n`);
    version = Math.min(version, said.milliseconds);
  }
  expect(version / bare).toBeLessThan(4);
});

const OLD_NODE = "/usr/bin/node";
const isOld =
  existsSync(OLD_NODE) &&
  Number(/v(\d+)/.exec(spawnSync(OLD_NODE, ["--version"], { encoding: "utf8" }).stdout)?.[1]) < 22;

test.runIf(isOld)("from a checkout it runs with the Node in node_modules when the machine's own cannot", async () => {
  const child = spawn(OLD_NODE, [join(ROOT, "bin/dev.js"), "plan", fleet.folder, "--json"]);
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  expect({ code, kind: JSON.parse(stdout).kind }).toEqual({ code: 0, kind: "Plan" });
});
