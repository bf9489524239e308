/** `odorobo watch` as a person has it, on rehearsed guests: what editors, git and file systems do to a folder, and what becomes of it. */
import { renameSync, symlinkSync, writeFileSync } from "node:fs";
import { cp, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { RunList } from "../../src/report/run-document.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { git } from "../support/a-repository.ts";
import { aWatch } from "../support/a-watch.ts";
import { startOdorobo } from "../support/run-odorobo.ts";

const PATIENT = { timeout: 300_000 };
const ROOMY = (count: number) => [`cpus: { count: ${count}, max: 8 }`];

const cli = async (...argv: string[]) => {
  using running = startOdorobo(argv);
  return await running.ended;
};
const stateOf = (fleet: LiveFleet) => ["--state", join(fleet.scratch, "state")];
async function vmsOf(fleet: LiveFleet, folder = fleet.folder): Promise<Record<string, string>> {
  const { stdout } = await cli("vm", "list", "--fleet", folder, "--json");
  return Object.fromEntries(JSON.parse(stdout).vms.map((vm: { name: string; phase: string }) => [vm.name, vm.phase]));
}

describe.concurrent("watch", PATIENT, () => {
  test("saves: by rename, many at once, broken and mended; meanwhile the last good one is healed", async () => {
    await using fleet = await aLiveFleet("n1");
    const path = join(fleet.folder, "vms/web-1.yaml");
    await fleet.vm("web-1", ROOMY(1));
    using watch = aWatch(fleet.folder, ...stateOf(fleet));
    await watch.stands("applied");

    const text = await readFile(path, "utf8");
    writeFileSync(`${path}~`, text.replace("count: 1", "count: 2"));
    renameSync(`${path}~`, path);
    await watch.next("step", ({ title, outcome }) => title.startsWith("update web-1") && outcome === "done");
    await watch.stands("applied");

    const before = watch.of("run").length;
    for (let save = 0; save < 20; save++) writeFileSync(path, text.replace("count: 1", `count: ${3 + (save % 5)}`));
    await watch.stands("applied");
    const bursts = watch.of("revision").filter(({ standing }) => standing === "seen").length - 2;
    // One, or on a machine that stood still in between, a few.
    expect(bursts).toBeLessThan(5);
    expect(watch.of("run").length - before).toBeLessThanOrEqual(bursts);

    writeFileSync(path, text.replace("cpus:", "cpu:"));
    const refused = await watch.stands("refused");
    expect(refused).toMatchObject({ code: "MANIFEST_INVALID", message: expect.stringContaining("^^^") });
    expect(refused.message).toContain("vms/web-1.yaml:");
    expect((await cli("vm", "shutdown", "web-1", "--fleet", fleet.folder)).code).not.toBe(0);
    expect((await cli("vm", "shutdown", "web-1", "--agent", fleet.url("n1"))).code).toBe(0);
    const drift = await watch.next("drift");
    expect(drift).toMatchObject({ reverted: [{ name: "web-1", action: "boot" }], left: [] });
    await watch.next("step", ({ title, outcome }) => title.startsWith("boot web-1") && outcome === "done");

    writeFileSync(path, text.replace("count: 1", "count: 7"));
    await watch.stands("unchanged");
    // Half saved: emptied first, as some editors do.
    writeFileSync(path, "");
    expect(await watch.stands("refused")).toMatchObject({ message: "vms/web-1.yaml is empty, and was not before" });
    writeFileSync(path, text.replace("count: 1", "count: 7"));
    await watch.stands("unchanged");

    const { code } = await watch.stop();
    expect(code).toBe(0);
    expect(watch.of("stopped")).toMatchObject([{ running: ["web-1"], run: null }]);
    expect(await vmsOf(fleet)).toEqual({ "web-1": "running" });
    expect(watch.of("asked")).toEqual([]);
  });

  test("what reboots is asked for; done at a terminal instead, it is seen; with --auto it is done", async () => {
    await using fleet = await aLiveFleet("n1");
    await fleet.vm("web-1");
    using watch = aWatch(fleet.folder, ...stateOf(fleet));
    await watch.stands("applied");
    await fleet.vm("web-1", ["memory: 96MiB"]);
    // What may be done by itself does not wait for that.
    await fleet.vm("web-2");
    await watch.next("step", ({ title }) => title.startsWith("boot web-2"));
    expect(await watch.stands("waiting")).toMatchObject({ message: "for approval: web-1 (reboot)" });
    expect(await watch.next("asked")).toMatchObject({
      changes: [{ name: "web-1", action: "reboot", class: "reboot" }],
    });
    expect((await cli("apply", fleet.folder, "--yes", ...stateOf(fleet))).code).toBe(0);
    await watch.stands("applied");
    expect((await watch.stop()).code).toBe(0);

    await fleet.vm("web-1", ["memory: 64MiB"]);
    using other = aWatch(fleet.folder, ...stateOf(fleet), "--auto", "reboot");
    await other.next("step", ({ title }) => title.startsWith("reboot web-1"));
    await other.stands("applied");
    expect((await other.stop()).code).toBe(0);
  });

  test("what is asked is a run: answered elsewhere, void when replaced, and approved while nobody is there", async () => {
    await using fleet = await aLiveFleet("n1");
    const state = stateOf(fleet);
    const waiting = async () =>
      (JSON.parse((await cli("runs", "list", "--json", ...state)).stdout) as RunList).runs.filter(
        ({ status }) => status === "waiting",
      );
    const reboots = ({ title, outcome }: { title: string; outcome: string }) =>
      title.startsWith("reboot web-1") && outcome === "done";
    await fleet.vm("web-1");
    using watch = aWatch(fleet.folder, ...state);
    await watch.stands("applied");
    await fleet.vm("web-1", ["memory: 96MiB"]);
    await watch.next("asked");
    const [first] = await waiting();
    const shown = (await cli("runs", "show", first!.id, ...state)).stdout;
    expect(shown).toContain(
      `odorobo runs show ${first!.id} --state ${state[1]} shows what it would do, runs approve has it done`,
    );
    expect(shown).toMatch(/reboot +web-1/);
    expect((await cli("runs", "pause", first!.id, ...state)).stderr).toContain("RUN_WAITING");

    await fleet.vm("web-1", ["memory: 128MiB"]);
    const asked = await watch.next("asked");
    const late = await cli("runs", "approve", first!.id, ...state);
    expect(late).toMatchObject({ code: 1, stderr: expect.stringContaining(`replaced (by ${asked.revision})`) });
    expect((await cli("runs", "approve", ...state)).code).toBe(0);
    await watch.next("step", reboots);
    await watch.stands("applied");

    await fleet.vm("web-1", ["memory: 96MiB"]);
    await watch.next("asked");
    const refused = await cli("runs", "refuse", "--reason", "not at noon", "--json", ...state);
    expect(JSON.parse(refused.stdout)).toMatchObject({ status: "refused", reason: "not at noon" });
    await watch.stands("refused");

    await fleet.vm("web-1", ["memory: 64MiB"]);
    await watch.next("asked");
    await watch.kill();
    const [left] = await waiting();
    expect(JSON.parse((await cli("runs", "approve", "--json", ...state)).stdout)).toMatchObject({ status: "approved" });
    using next = aWatch(fleet.folder, ...state);
    expect(await next.next("step", reboots)).toMatchObject({ run: left!.id });
    await next.stands("applied");
    expect((await next.stop()).code).toBe(0);
  });

  test("a folder behind a link that is swapped; gone, and back with less: nothing is deleted by itself", async () => {
    await using fleet = await aLiveFleet("n1");
    await fleet.vm("web-1");
    // The guard alone would let all of them go.
    const text = await readFile(join(fleet.folder, "fleet.yaml"), "utf8");
    await fleet.write("fleet.yaml", `${text}  policy: { destroyGuard: { count: 5 } }\n`);
    const at = (name: string) => join(fleet.scratch, name);
    await cp(fleet.folder, at("one"), { recursive: true });
    await fleet.vm("web-2");
    await cp(fleet.folder, at("two"), { recursive: true });
    symlinkSync(at("one"), at("current"));
    using watch = aWatch(at("current"), ...stateOf(fleet), "--auto", "destroy");
    await watch.stands("applied");

    symlinkSync(at("two"), at("next"));
    renameSync(at("next"), at("current"));
    await watch.next("step", ({ title }) => title.startsWith("boot web-2"));
    await watch.stands("applied");
    // It is the new place that is watched.
    await cp(join(at("two"), "vms/web-2.yaml"), join(at("two"), "vms/web-3.yaml"));
    writeFileSync(
      join(at("two"), "vms/web-3.yaml"),
      (await readFile(join(at("two"), "vms/web-2.yaml"), "utf8")).replace("name: web-2", "name: web-3"),
    );
    await watch.next("step", ({ title }) => title.startsWith("boot web-3"));
    await watch.stands("applied");

    await rename(at("two"), at("away"));
    expect(await watch.stands("refused")).toMatchObject({ code: "SOURCE_UNREADABLE" });
    await rename(at("one"), at("two"));
    const { changes } = await watch.next("asked");
    expect(changes.map(({ name, action }) => `${action} ${name}`)).toEqual(["destroy web-2", "destroy web-3"]);
    await rename(at("two"), at("one"));
    await rename(at("away"), at("two"));
    // Seen whole again: in force still, or once more.
    await watch.next("revision", ({ standing }) => standing === "unchanged" || standing === "applied");
    expect((await watch.stop()).code).toBe(0);
    expect(await vmsOf(fleet)).toEqual({ "web-1": "running", "web-2": "running", "web-3": "running" });
  });

  test("git checkout and git pull under it", async () => {
    await using fleet = await aLiveFleet("n1");
    const { folder } = fleet;
    await fleet.vm("web-1");
    await git(folder, "init", "--quiet", "--initial-branch=main");
    const commit = async (where: string) => {
      await git(where, "add", "--all");
      await git(where, "commit", "--quiet", "--message", "more");
    };
    await commit(folder);
    await git(folder, "checkout", "--quiet", "-b", "two");
    for (const name of ["web-2", "web-3", "web-4"]) await fleet.vm(name);
    await commit(folder);
    await git(folder, "checkout", "--quiet", "main");
    const upstream = join(fleet.scratch, "upstream");
    await git(fleet.scratch, "clone", "--quiet", folder, upstream);
    await git(upstream, "checkout", "--quiet", "-b", "two", "origin/two");

    using watch = aWatch(folder, ...stateOf(fleet));
    await watch.stands("applied");
    await git(folder, "checkout", "--quiet", "two");
    await watch.stands("applied");
    expect(await vmsOf(fleet)).toEqual(Object.fromEntries([1, 2, 3, 4].map((each) => [`web-${each}`, "running"])));
    const text = await readFile(join(upstream, "vms/web-2.yaml"), "utf8");
    writeFileSync(join(upstream, "vms/web-5.yaml"), text.replace("name: web-2", "name: web-5"));
    await commit(upstream);
    await git(folder, "pull", "--quiet", upstream, "two");
    await watch.next("step", ({ title }) => title.startsWith("boot web-5"));
    await watch.stands("applied");
    // Back on main: one VM instead of five. That is more than the guard lets one plan delete.
    await git(folder, "checkout", "--quiet", "main");
    expect(await watch.stands("refused")).toMatchObject({
      message: expect.stringContaining("4 of 5 VMs would be destroyed"),
    });
    expect((await watch.stop()).code).toBe(0);
    expect(Object.keys(await vmsOf(fleet))).toHaveLength(5);
  });

  test("a save while applying waits its turn; somebody else's run is waited for; killed, the next one carries on", async () => {
    await using fleet = await aLiveFleet("n1");
    const slow = { "noop.odorobo.dev/boot-delay": "1500ms" };
    await fleet.vm("web-1", [], slow);
    using watch = aWatch(fleet.folder, ...stateOf(fleet));
    const first = await watch.next("run");
    await fleet.vm("web-2", [], slow);
    const listed = JSON.parse((await cli("runs", "list", "--json", ...stateOf(fleet))).stdout) as RunList;
    expect(listed.runs.map(({ id }) => id)).toContain(first.run);
    const second = await watch.next("run");
    await watch.stands("applied");
    const runs = watch
      .events()
      .flatMap((event) => (event.event === "step" || event.event === "run" ? [event.run] : []));
    expect(runs).toEqual([...Array(3).fill(first.run), ...Array(3).fill(second.run)]);

    const copy = join(fleet.scratch, "copy");
    await cp(fleet.folder, copy, { recursive: true });
    const text = await readFile(join(copy, "vms/web-1.yaml"), "utf8");
    writeFileSync(join(copy, "vms/web-9.yaml"), text.replace("name: web-1", "name: web-9").replace("1500ms", "4s"));
    using apply = startOdorobo(["apply", copy, "--yes", ...stateOf(fleet)]);
    await apply.waitFor("stderr", "[1/2]");
    await fleet.vm("web-3", [], slow);
    const held = await watch.next("held");
    await watch.next("step", ({ title, outcome }) => title.startsWith("boot web-3") && outcome === "done");
    const ended = JSON.parse((await cli("runs", "show", held.run, "--json", ...stateOf(fleet))).stdout);
    expect(ended).toMatchObject({ status: "done" });
    expect((await apply.ended).code).toBe(0);
    // Which nobody wants here: it is not deleted without being asked for.
    expect(await watch.next("asked")).toMatchObject({ changes: [{ name: "web-9", action: "destroy" }] });

    await fleet.vm("web-4", [], slow);
    const third = await watch.next("run");
    await watch.kill();
    using next = aWatch(fleet.folder, ...stateOf(fleet));
    await next.stands("waiting");
    const { status } = JSON.parse((await cli("runs", "show", third.run, "--json", ...stateOf(fleet))).stdout);
    expect(status).toBe("done");
    expect((await vmsOf(fleet))["web-4"]).toBe("running");
    expect((await next.stop()).code).toBe(0);
  });

  test("--poll, for file systems that tell nothing; and drift that is only reported", async () => {
    await using fleet = await aLiveFleet("n1");
    await fleet.vm("web-1", ROOMY(1));
    const policy = await readFile(join(fleet.folder, "fleet.yaml"), "utf8");
    await fleet.write("fleet.yaml", `${policy}  policy: { gateway: { healDrift: report } }\n`);
    using watch = aWatch(fleet.folder, ...stateOf(fleet), "--poll");
    await watch.stands("applied");
    await fleet.vm("web-1", ROOMY(2));
    await watch.next("step", ({ title }) => title.startsWith("update web-1"));
    await watch.stands("applied");
    expect((await cli("vm", "shutdown", "web-1", "--fleet", fleet.folder)).code).toBe(0);
    expect(await watch.next("drift")).toMatchObject({ reverted: [], left: [{ name: "web-1", action: "boot" }] });
    expect((await watch.stop()).code).toBe(0);
    expect(await vmsOf(fleet)).toEqual({ "web-1": "stopped" });
  });
});
