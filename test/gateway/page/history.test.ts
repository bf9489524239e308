/** Which commits changed a VM, and which runs touched it: of a repository with a past that has nothing to do with it. */
import { expect, test } from "vitest";
import { runsOf } from "../../../src/gateway/service/history/vm-runs.ts";
import { vmName } from "../../../src/model/names.ts";
import { git } from "../../support/a-repository.ts";
import { aServedGateway } from "../../support/a-served-gateway.ts";
import { expectValid } from "../../support/expect-valid.ts";
import { until } from "../../support/until.ts";

test("commits that make a VM another one are told with its fields, by file, profile and default; others are not", async () => {
  const commits: Record<string, string> = {};
  const lines = ["placement: { node: n1 }", "profile: small"];
  await using served = await aServedGateway({
    fleet: {
      forge: {
        kind: "gitea",
        api: { url: "https://forge.example", repository: "t/f", tokenFile: "/nowhere" },
        hookSecretFile: null,
        pullRequests: false,
      },
    },
    prepare: async (fleet) => {
      const note = async (name: string, message = name) => {
        await git(fleet.folder, "add", "--all");
        await git(fleet.folder, "commit", "--quiet", "--allow-empty", "--message", message);
        commits[name] = await git(fleet.folder, "rev-parse", "HEAD");
      };
      const profile = (memory: string) =>
        fleet.write(
          "profiles.yaml",
          `apiVersion: odorobo.dev/v1\nkind: Profile\nmetadata: { name: small }\nspec: { memory: ${memory} }\n`,
        );
      await git(fleet.folder, "init", "--quiet", "--initial-branch=main");
      await profile("64MiB");
      await note("before it was");
      await fleet.vm("web-1", lines);
      await note("added");
      await fleet.vm("web-2", ["placement: { node: n1 }"]);
      await note("another VM");
      await fleet.vm("web-1", [...lines, "cpus: 2"]);
      await note("cpus", "more \u001b[31m<b>cpus</b>");
      await fleet.write("vms/web-1.yaml", "kind: [");
      await note("broken");
      await fleet.vm("web-1", ["# the same again", ...lines, "cpus: 2"]);
      await note("mended");
      await profile("128MiB");
      await note("profile");
    },
  });
  const path = "/v1/fleets/shop/vms/web-1/history";
  await until("it runs", async () => {
    const { json } = await served.ask("/v1/fleets/shop/vms/web-1", "olga");
    return json.live?.report.phase === "running";
  });
  const { json } = await served.ask(path, "olga");
  expectValid(json, "gateway-vm-history");
  expect(json).toMatchObject({ isComplete: true, because: null });
  expect(json.entries.map(({ commit, what, fields }: Record<string, unknown>) => [commit, what, fields])).toEqual([
    [commits.profile, "changed", ["memory.size", "memory.max"]],
    [commits.broken, "unreadable", []],
    [commits.cpus, "changed", ["cpus.count", "cpus.max"]],
    [commits.added, "added", []],
  ]);
  expect(json.entries[0].link).toBe(`https://forge.example/t/f/commit/${commits.profile}`);
  expect(json.entries[2].subject).toBe("more  [31m<b>cpus</b>");
  expect(json.entries[0].author).toBe("test");
  expect(json.runs).toMatchObject([
    {
      status: "done",
      steps: [
        { title: "create web-1", outcome: "done" },
        { title: "boot web-1", outcome: "done" },
      ],
    },
  ]);
  await served.fleet.remove("vms/web-1.yaml");
  const gone = await served.push();
  await until("it waits", async () => (await served.ask("/v1/fleets/shop", "olga")).json.waiting !== null);
  const after = (await served.ask(path, "olga")).json;
  expectValid(after, "gateway-vm-history");
  expect(after.entries[0]).toMatchObject({ commit: gone, what: "removed" });
  expect(after.entries).toHaveLength(5);
});

test("steps of a VM whose name begins another's are its own", () => {
  const run = (id: string, ...steps: string[]) =>
    ({
      ...{ id, isExecuted: false },
      state: {
        ...{ begun: { fleet: "shop", at: "2026-01-01T12:00:00.000Z", by: "ann", commit: null }, wish: "run" },
        ...{ approvedBy: null, outcome: null },
        steps: new Map(steps.map((step) => [step, { kind: "in-flight" }])),
      },
    }) as never;
  const runs = [run("r2", "bootVm-web-1-0a"), run("r1", "bootVm-web-1b", "bootVm-web-0a", "bootVm-web-1-1-0a")];
  expect(runsOf(runs, "shop", vmName("web-1")).runs.map(({ id }) => id)).toEqual(["r2"]);
  expect(runsOf(runs, "shop", vmName("web")).runs.map(({ id }) => id)).toEqual(["r1"]);
  expect(runsOf(runs, "lab", vmName("web-1")).runs).toEqual([]);
});
