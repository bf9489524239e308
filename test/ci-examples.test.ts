/** `examples/ci`: what is shown there is what runs here. Each script is taken from its YAML and run by `sh`, against an agent. */
import { readdirSync, readFileSync } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { vmName } from "../src/model/names.ts";
import { aCiRunner, type CiRunner, TOKENS } from "./support/a-ci-runner.ts";
import { requires } from "./support/requirements.ts";

const EXAMPLES = join(import.meta.dirname, "../examples/ci");
const read = (path: string): string => readFileSync(join(EXAMPLES, path), "utf8");

interface Step {
  readonly name?: string;
  readonly id?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, string>>;
}
interface Workflow {
  readonly env: Readonly<Record<string, string>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<
      "plan" | "apply",
      { readonly concurrency?: object; readonly permissions?: object; readonly steps: readonly Step[] }
    >
  >;
}
interface Job {
  readonly script: readonly string[];
  readonly resource_group?: string;
}
interface GitLab {
  readonly variables: Readonly<Record<string, string>>;
  readonly ".odorobo": { readonly image: string; readonly before_script: readonly string[] };
  readonly "odorobo-plan": Job;
  readonly "odorobo-apply": Job;
}
const github = parse(read("github/odorobo.yml")) as Workflow;
const forgejo = parse(read("forgejo/odorobo.yml")) as Workflow;
const gitlab = parse(read("gitlab/odorobo.gitlab-ci.yml")) as GitLab;

type Ended = { readonly code: number | null; readonly said: string };
interface Ci {
  readonly name: string;
  plan(runner: CiRunner): Promise<Ended>;
  apply(runner: CiRunner): Promise<Ended>;
  /** The plans that were kept for reviews, as reviewers see them. */
  kept(runner: CiRunner): Promise<readonly string[]>;
}

/** A job of a workflow: its `run`s one after the other, and of the actions between them the one that keeps a plan. */
async function runJob(runner: CiRunner, workflow: Workflow, name: "plan" | "apply"): Promise<Ended> {
  const output = await runner.write(join(runner.temp, "output"), "");
  const summary = await runner.write(join(runner.temp, "summary.md"), "");
  const said: Record<string, string> = {
    ...{ "secrets.ODOROBO_OBSERVE_TOKEN": TOKENS.observe, "secrets.ODOROBO_APPLY_TOKEN": TOKENS.apply },
    ...{ "secrets.PACKAGES_TOKEN": "packages-secret", "github.token": "gh-secret", "github.event.number": "7" },
    "runner.temp": runner.temp,
  };
  const fill = (text: string) =>
    text.replace(/\$\{\{ ([\w.]+) \}\}/g, (_, key: string) => {
      const value = said[key];
      if (value === undefined) throw new Error(`nobody says what ${key} is`);
      return value;
    });
  let ended: Ended = { code: 0, said: "" };
  for (const step of workflow.jobs[name].steps) {
    if (
      step.uses?.includes("upload-artifact") &&
      said["steps.plan.outputs.print"] !== "" &&
      (name === "plan" || ended.code !== 0)
    )
      await appendFile(join(runner.temp, "artifacts"), `${fill(step.with?.name ?? "")}\n`);
    // `always()` is said only of what keeps and shows the plan.
    if (step.run === undefined || (ended.code !== 0 && step.name !== "Comment")) continue;
    const env = Object.fromEntries(Object.entries(step.env ?? {}).map(([key, value]) => [key, fill(value)]));
    const { code, said: text } = await runner.sh(step.run, {
      ...{ ...workflow.env, ...env },
      ...{ RUNNER_TEMP: runner.temp, GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary },
      ...{ GITHUB_REPOSITORY: "team/fleet", GITHUB_SERVER_URL: runner.forge.url },
    });
    for (const line of (await readFile(output, "utf8")).split("\n")) {
      const [key, value] = line.split("=");
      if (key && value) said[`steps.${step.id ?? name}.outputs.${key}`] = value;
    }
    ended = { code: ended.code === 0 ? code : ended.code, said: ended.said + text };
  }
  return { code: ended.code, said: ended.said + (await readFile(summary, "utf8")) };
}

const runGitLab = async (runner: CiRunner, job: Job): Promise<Ended> => {
  const observe = await runner.write(join(runner.temp, "observe"), TOKENS.observe);
  const apply = await runner.write(join(runner.temp, "apply"), TOKENS.apply);
  return await runner.sh([...gitlab[".odorobo"].before_script, ...job.script].join("\n"), {
    ...gitlab.variables,
    ...{ ODOROBO_OBSERVE_TOKEN: observe, ODOROBO_APPLY_TOKEN: apply, CI_JOB_TOKEN: "job-secret" },
    ...{ CI_API_V4_URL: `${runner.forge.url}/api/v4`, CI_PROJECT_ID: "12" },
  });
};

/** The two commands of the README, each without its comment. */
const [PLAN_BY_HAND = "", APPLY_BY_HAND = ""] = (/```sh\n([\s\S]*?)```/.exec(read("README.md"))?.[1] ?? "")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => line.replace("sh odorobo-", "sh ci/odorobo-"));

const runByHand = async (runner: CiRunner, command: string, token: string): Promise<Ended> => {
  const file = await runner.write(join(runner.temp, "token"), token);
  const ended = await runner.sh(command, { PLANS: runner.temp, ODOROBO_TOKEN_FILE: file });
  return ended.code === 5
    ? { ...ended, said: ended.said + (await readFile(join(runner.workspace, "plan/plan.md"), "utf8")) }
    : ended;
};

const CIS: readonly Ci[] = [
  {
    name: "GitHub Actions",
    plan: (runner) => runJob(runner, github, "plan"),
    apply: (runner) => runJob(runner, github, "apply"),
    kept: async (runner) => [await readFile(join(runner.temp, "comment.md"), "utf8")],
  },
  {
    name: "GitLab CI",
    plan: (runner) => runGitLab(runner, gitlab["odorobo-plan"]),
    apply: (runner) => runGitLab(runner, gitlab["odorobo-apply"]),
    kept: async ({ forge }) => [...forge.files.values()],
  },
  {
    name: "Forgejo Actions",
    plan: (runner) => runJob(runner, forgejo, "plan"),
    apply: (runner) => runJob(runner, forgejo, "apply"),
    kept: async ({ forge }) =>
      forge.requests.flatMap(({ path, body }) =>
        path === "/api/v1/repos/team/fleet/issues/7/comments" ? [(JSON.parse(body) as { body: string }).body] : [],
      ),
  },
];

/** As the README has it. */
const BY_HAND: Ci = {
  name: "sh alone",
  plan: (runner) => runByHand(runner, PLAN_BY_HAND, TOKENS.observe),
  // Who keeps the new plan after a review of it is a person here.
  apply: async (runner) => {
    const ended = await runByHand(runner, APPLY_BY_HAND, TOKENS.apply);
    if (ended.code === 5) await runner.sh('cp plan/plan.md "$PLANS/$(cat plan/print).md"', { PLANS: runner.temp });
    return ended;
  },
  kept: async ({ temp }) =>
    readdirSync(temp).flatMap((name) =>
      /^[0-9a-f]{16}\.md$/.test(name) ? [readFileSync(join(temp, name), "utf8")] : [],
    ),
};

describe.runIf(requires("the examples of CI", "curl"))("from CI", () => {
  test.each(CIS)("$name: a pull request shows its plan, the merge applies that and nothing else", async (ci) => {
    await using runner = await aCiRunner("shop");
    const { lifecycle } = runner.agent;
    const vms = () => lifecycle.known().vms.map(({ name, phase }) => `${name} ${phase}`);

    await runner.commit("web-1");
    const planned = await ci.plan(runner);
    expect([planned.code, vms()], planned.said).toEqual([0, []]);
    expect((await ci.kept(runner)).at(-1)).toContain("web-1");

    // Main has moved on between the review and the merge.
    await runner.commit("web-1", "web-2");
    const stopped = await ci.apply(runner);
    expect([stopped.code, vms()], stopped.said).toEqual([5, []]);
    expect(stopped.said).toContain("not a plan that was reviewed");
    expect(stopped.said).toContain("**2 to create**");

    // The new plan was shown and read: the job is run again.
    const again = await ci.apply(runner);
    expect([again.code, vms()], again.said).toEqual([0, ["web-1 running", "web-2 running"]]);

    for (const secret of [TOKENS.observe, TOKENS.apply, "job-secret", "packages-secret", "gh-secret"])
      expect([secret, JSON.stringify([again.said, await runner.calls()]).includes(secret)]).toEqual([secret, false]);
  });

  test("a VM that somebody changed by hand since the review stops the merge; where nothing is to be done nothing is asked", async () => {
    await using runner = await aCiRunner("shop");
    const { lifecycle } = runner.agent;
    const phases = () => lifecycle.known().vms.map(({ phase }) => phase);
    await runner.commit("web-1");
    expect((await BY_HAND.plan(runner)).code).toBe(0);
    expect([(await BY_HAND.apply(runner)).code, phases()]).toEqual([0, ["running"]]);
    const idle = await BY_HAND.apply(runner);
    expect([idle.code, idle.said], idle.said).toEqual([0, expect.stringContaining("nothing is to be done")]);

    await runner.commit("web-1", "web-2");
    expect((await BY_HAND.plan(runner)).code).toBe(0);
    const shutdown = { id: "by-hand", expect: null, kind: "shutdown", graceSeconds: null } as const;
    await lifecycle.operate(vmName("web-1"), shutdown, new AbortController().signal);
    expect([(await BY_HAND.apply(runner)).code, phases()]).toEqual([5, ["stopped"]]);
  });

  test("mistakes and refusals end the job, and what is refused is shown all the same", async () => {
    await using runner = await aCiRunner("shop");
    await runner.commit("Not A Name");
    const broken = await BY_HAND.plan(runner);
    expect([broken.code, broken.said.includes("vms.yaml")], broken.said).toEqual([1, true]);
    expect(await BY_HAND.kept(runner)).toEqual([]);
    const token = await runner.write(join(runner.temp, "token"), TOKENS.observe);
    await runner.commit("web-1");
    expect((await runner.sh("sh ci/odorobo-plan.sh fleet plan", { ODOROBO_TOKEN_FILE: token })).code).toBe(0);
    const mayNot = await runner.sh("sh ci/odorobo-apply.sh fleet plan true", { ODOROBO_TOKEN_FILE: token });
    expect([mayNot.code, mayNot.said.includes("apply")], mayNot.said).toEqual([1, true]);
    await runner.write(
      join(runner.workspace, "fleet/vms.yaml"),
      "apiVersion: odorobo.dev/v1\nkind: VirtualMachine\nmetadata: { name: huge }\nspec: { memory: 900GiB }\n",
    );
    const blocked = await runner.sh("sh ci/odorobo-plan.sh fleet plan", { ODOROBO_TOKEN_FILE: token });
    expect([blocked.code, readFileSync(join(runner.workspace, "plan/plan.md"), "utf8").includes("huge")]).toEqual([
      3,
      true,
    ]);
  });
});

describe("what the workflows promise", () => {
  const workflows = [
    ["github/odorobo.yml", github],
    ["forgejo/odorobo.yml", forgejo],
  ] as const;

  test.each(workflows)(
    "%s: actions are pinned to commits, nothing of others gets into a script, applies do not overlap",
    (path, workflow) => {
      const steps = Object.values(workflow.jobs).flatMap(({ steps }) => steps);
      const loose = [...read(path).matchAll(/uses: (.*)$/gm)].filter(
        ([, what = ""]) => !/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(what),
      );
      expect(loose.map(([line]) => line)).toEqual([]);
      expect(steps.flatMap(({ run = "" }) => (run.includes("${" + "{") ? [run] : []))).toEqual([]);
      expect(workflow.jobs.apply.concurrency).toMatchObject({ "cancel-in-progress": false });
      const checkouts = steps.filter(({ uses = "" }) => uses.includes("/checkout@"));
      expect(checkouts.map((step) => step.with)).toEqual(checkouts.map(() => ({ "persist-credentials": false })));
    },
  );

  test("what is installed has one version, and images too", () => {
    for (const path of ["github/odorobo.yml", "forgejo/odorobo.yml", "gitlab/odorobo.gitlab-ci.yml"]) {
      const { version } = JSON.parse(readFileSync(join(EXAMPLES, "../../package.json"), "utf8")) as { version: string };
      expect([path, /ODOROBO_PACKAGE: (\S+)/.exec(read(path))?.[1]]).toEqual([path, `odorobo@${version}`]);
      for (const [, image] of read(path).matchAll(/image: (\S+)/g)) expect(image).toMatch(/:\d+\.\d+\.\d+-/);
    }
    expect(github.permissions).toEqual({ contents: "read" });
    expect(gitlab["odorobo-apply"].resource_group).toBe("odorobo");
  });

  test("no secret is an argument: tokens go by files and by curl's configuration", () => {
    const texts = [
      "github/odorobo.yml",
      "forgejo/odorobo.yml",
      "gitlab/odorobo.gitlab-ci.yml",
      "odorobo-plan.sh",
      "odorobo-apply.sh",
    ];
    for (const path of texts) {
      const lines = read(path)
        .split("\n")
        .filter((line) => /\$(\{?\w*TOKEN)\b/.test(line) && !line.trim().startsWith("#"));
      // printf is a part of the shell: no process has it in its arguments.
      const loose = lines.filter(
        (line) => !/^\s*(- )?(was_kept=')?printf|export ODOROBO_TOKEN_FILE=|: \$\{\{/.test(line.trim()),
      );
      expect([path, loose]).toEqual([path, []]);
    }
  });
});
