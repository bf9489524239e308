/**
 * A team that only pushes: a bare repository over `git daemon`, a gateway, three agents, a forge that checks what it is told. Each push is followed
 * to the guests, and back to the commit.
 */
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import type { VmReport } from "../../src/model/observed-state.ts";
import type { RunList } from "../../src/report/run-document.ts";
import { type AGitServer, aGitServer } from "../support/a-git-server.ts";
import { pullHook, pushHook, type SentHook } from "../support/a-hook.ts";
import { git } from "../support/a-repository.ts";
import { type AForge, aForge } from "../support/forge/a-forge.ts";
import { requires } from "../support/requirements.ts";
import type { Running } from "../support/run-odorobo.ts";
import { bootsIn, type SystemAgent } from "../support/system-agent.ts";
import { PATIENT, type SystemWorld, systemTest } from "../support/system-world.ts";
import { until } from "../support/until.ts";

const HOOK_SECRET = "hook-secret-of-the-test";
const CONTEXT = "odorobo/shop";
/** What is polled never comes within the test: hooks are heard, or nothing is seen. */
const INTERVAL = "1h";
const PATIENCE_MS = 60_000;

const isReal = requires("a gateway's story with real guests", "qemu-system-x86_64", "qemu-img");

describe.runIf(requires("a gateway's story", "git"))("a team that pushes", PATIENT, () => {
  systemTest("push, see, plan at the pull request, approve, heal, refuse, revert", async ({ world }) => {
    await using team = await aTeam(world);
    const { n1, push, stands, forge } = team;

    // A push, and the guests run.
    const first = await push("two web servers and a job", async () => {
      await world.vm("web-1", ["placement: { node: n1 }"]);
      await world.vm("web-2", ["placement: { node: n2 }"]);
      await world.vm("job-1", ["placement: { node: n3 }"]);
    });
    await stands(first, "success", "applied");
    expect(await team.phases()).toEqual({ "web-1": "running", "web-2": "running", "job-1": "running" });
    if (isReal)
      await until("the guest counts", async () => /COUNTER [1-9]/.test(await n1.serial("web-1")), PATIENCE_MS);
    expect(forge.statuses.filter(({ commit }) => commit === first).map(({ state }) => state)).toContain("pending");

    // A pull request, and its plan as one comment, brought up to date by the next push.
    const comment = await team.pullRequest(7, "more-memory", "web-1 gets more memory", ["memory: 96MiB"]);
    expect(comment.body).toMatch(/web-1/);
    expect(comment.body).toMatch(/a restart/);
    const better = await team.pullRequest(7, "more-memory", "and two processors", [
      "cpus: { count: 2, max: 2 }",
      "memory: 96MiB",
    ]);
    expect(better.id).toBe(comment.id);
    expect(better.body).not.toBe(comment.body);
    expect(forge.comments(7)).toHaveLength(1);
    expect(bootsIn(await team.log("n1", "web-1"))).toBe(isReal ? 1 : 0);

    // Merged: beyond `auto`, so a person is asked, at the commit and at the terminal.
    const merged = await team.merge("more-memory");
    const waiting = await stands(merged, "pending", "odorobo runs approve");
    const runs = JSON.parse((await team.cli("runs", "list", "--json")).stdout) as RunList;
    const asked = runs.runs.find(({ status }) => status === "waiting");
    expect(waiting.line).toContain(asked?.id);
    const before = await team.vm("n1", "web-1");
    expect(before.phase).toBe("running");
    expect((await team.cli("runs", "approve", asked!.id)).code).toBe(0);
    await stands(merged, "success", "applied");
    if (isReal)
      await until("it has booted once more", async () => bootsIn(await n1.serial("web-1")) === 2, PATIENCE_MS);

    // Killed by hand: its agent starts it again. Shut down by hand: the gateway does.
    const victim = await team.vm("n2", "web-2");
    await team.killGuest(victim, "n2");
    await until(
      "web-2 runs again",
      async () => {
        const now = await team.vm("n2", "web-2");
        return now.phase === "running" && (now.restart !== undefined || now.pid !== victim.pid);
      },
      PATIENCE_MS,
    );
    expect((await team.cliOf("vm", "shutdown", "job-1", "--agent", team.agent("n3").url, "--grace", "5s")).code).toBe(
      0,
    );
    await until("job-1 runs again", async () => (await team.vm("n3", "job-1")).phase === "running", PATIENCE_MS);

    // Resized past odorobo, and policy says: only report it.
    const reporting = await push("drift is reported only", async () =>
      world.defaults({ hypervisor: team.hypervisor, policy: ["policy: { gateway: { healDrift: report } }"] }),
    );
    await stands(reporting, "success", "");
    expect((await team.cliOf("vm", "resize", "web-2", "--cpus", "2", "--agent", team.agent("n2").url)).code).toBe(0);
    await team.logs("drift is told of", (line) => line.includes('"reverted":[],"left":["web-2"]'));
    expect(await team.vm("n2", "web-2")).toMatchObject({ drift: [{ path: "cpus.count", applied: 1, live: 2 }] });

    // A branch that was rewritten does not contain what is in force: refused, and nothing moves.
    const forced = await team.forcePush("history was rewritten", async () => world.remove("vms/job-1.yaml"));
    await stands(forced, "failure", "does not contain");
    expect(Object.keys(await team.phases())).toContain("job-1");
    await team.restore(reporting);

    // A new VM, and the revert of its commit: gone again, after somebody said so.
    const added = await push("one more", () => world.vm("web-3", ["placement: { node: n3 }"]));
    await stands(added, "success", "applied");
    expect((await team.phases())["web-3"]).toBe("running");
    const reverted = await team.revert(added);
    const { line } = await stands(reverted, "pending", "odorobo runs approve");
    const [, run] = /odorobo runs approve (\S+)/.exec(line) ?? [];
    expect((await team.cli("runs", "approve", run!)).code).toBe(0);
    await stands(reverted, "success", "applied");
    expect(Object.keys(await team.phases()).sort()).toEqual(["job-1", "web-1", "web-2"]);
  });
});

async function aTeam(world: SystemWorld) {
  const { scratch, fleet } = world;
  const env = { ODOROBO_TEST_WORLD: scratch };
  const hypervisor = isReal ? ("qemu" as const) : ("noop" as const);
  await world.defaults({ hypervisor });
  const agents = new Map<string, SystemAgent>();
  for (const name of ["n1", "n2", "n3"]) {
    const agent = await world.agent(name, { hypervisors: [hypervisor] });
    agents.set(name, agent);
    if (agent.pid === null) await agent.start();
    await world.node(name, agent.url);
  }
  const server: AGitServer = await aGitServer(scratch, env);
  const forge: AForge = await aForge("forgejo");
  const data = join(scratch, "gateway");
  const secretFile = join(scratch, "hook-secret");
  await writeFile(secretFile, `${HOOK_SECRET}\n`, { mode: 0o600 });
  await writeFile(join(scratch, "gateway.yaml"), gatewayFile(server, forge, secretFile, data));
  await git(fleet, "init", "--quiet", "--initial-branch=main");
  await git(fleet, "remote", "add", "origin", server.url);
  let gateway: Running | null = null;
  let url = "";
  const startGateway = async () => {
    gateway = world.start(
      "gateway",
      "--config",
      join(scratch, "gateway.yaml"),
      "--listen",
      "127.0.0.1:0",
      "--log-format",
      "json",
    );
    [, url = ""] = /ready on (\S+)/.exec(await gateway.waitFor("stdout", "ready on ")) ?? [];
  };
  const said = () => gateway?.stderr() ?? "";

  const send = async ({ headers, body }: SentHook) => {
    const response = await fetch(`${url}/v1/hooks/shop`, { method: "POST", headers, body: new Uint8Array(body) });
    expect(response.status, await response.text()).toBe(202);
  };
  const head = () => git(fleet, "rev-parse", "HEAD");
  const commit = async (message: string) => {
    await git(fleet, "add", "--all");
    await git(fleet, "commit", "--quiet", "--message", message);
    return await head();
  };
  const pushed = async (...flags: string[]) => {
    await git(fleet, "push", "--quiet", ...flags, "origin", "HEAD:refs/heads/main");
    const now = await head();
    if (gateway === null) await startGateway();
    else await send(pushHook("forgejo", "refs/heads/main", now, { secret: HOOK_SECRET }));
    return now;
  };
  const cliOf = (...argv: string[]) => world.cli(...argv);
  const vm = async (node: string, name: string): Promise<VmReport> => await agents.get(node)!.vm(name);
  return {
    forge,
    hypervisor,
    n1: agents.get("n1")!,
    agent: (name: string) => agents.get(name)!,
    vm,
    cliOf,
    cli: (...argv: string[]) => world.cli(...argv, "--state", data),
    log: (node: string, name: string) => agents.get(node)!.serial(name),
    async push(message: string, change: () => Promise<void>) {
      await change();
      await commit(message);
      return await pushed();
    },
    async forcePush(message: string, change: () => Promise<void>) {
      await git(fleet, "checkout", "--quiet", "--orphan", "rewritten");
      await change();
      await commit(message);
      return await pushed("--force");
    },
    /** As it was before that. */
    async restore(good: string) {
      await git(fleet, "checkout", "--quiet", "--force", "main");
      await git(fleet, "branch", "--quiet", "-D", "rewritten");
      expect(await head()).toBe(good);
      await pushed("--force");
    },
    async revert(which: string) {
      await git(fleet, "revert", "--no-edit", which);
      return await pushed();
    },
    /** On a branch of its own, from main the first time. Answers with the comment once it is about that commit. */
    async pullRequest(number: number, branch: string, message: string, spec: readonly string[]) {
      const isNew = (await git(fleet, "branch", "--list", branch)) === "";
      await git(fleet, "checkout", "--quiet", ...(isNew ? ["-b"] : []), branch);
      await world.vm("web-1", ["placement: { node: n1 }", ...spec]);
      const now = await commit(message);
      // A forge has the head of a pull request under this name, too.
      await git(fleet, "push", "--quiet", "origin", branch, `+HEAD:refs/pull/${number}/head`);
      await git(fleet, "checkout", "--quiet", "main");
      if (isNew) forge.openPull({ number, branch, commit: now, base: "main" });
      else forge.movePull(number, now);
      const action = isNew ? "opened" : "synchronized";
      await send(
        pullHook("forgejo", { number, action, head: branch, commit: now, base: "main" }, { secret: HOOK_SECRET }),
      );
      const about = () => forge.comments(number).find(({ body }) => body.includes(now.slice(0, 7)));
      await until(`the plan of ${now} stands at the pull request`, () => about() !== undefined, PATIENCE_MS).catch(
        (error) => {
          throw new Error(`${error}\n${JSON.stringify(forge.comments(number))}\n${said().slice(-4_000)}`);
        },
      );
      return { ...about()! };
    },
    async merge(branch: string) {
      await git(fleet, "merge", "--quiet", "--no-ff", "--message", `Merge ${branch}`, branch);
      forge.closePull(7);
      return await pushed();
    },
    /** Waits until that stands at the commit. */
    async stands(at: string, state: string, line: string) {
      const latest = () => forge.latest(at, CONTEXT);
      const isSo = () => latest()?.state === state && latest()?.line.includes(line) === true;
      await until(`${at.slice(0, 12)} is ${state}: ${line}`, isSo, PATIENCE_MS).catch((error) => {
        throw new Error(`${error}\n${JSON.stringify(forge.statuses, null, 1)}\n${said().slice(-6_000)}`);
      });
      return latest()!;
    },
    async logs(what: string, holds: (line: string) => boolean) {
      await until(what, () => said().split("\n").some(holds), PATIENCE_MS).catch((error) => {
        throw new Error(`${error}\n${said().slice(-6_000)}`);
      });
    },
    async phases(): Promise<Record<string, string>> {
      const reports = await Promise.all([...agents.values()].map((agent) => agent.report()));
      return Object.fromEntries(reports.flatMap(({ vms }) => vms.map(({ name, phase }) => [name, phase])));
    },
    async killGuest(victim: VmReport, node: string) {
      if (victim.pid !== null) process.kill(victim.pid, "SIGKILL");
      else await rm(join(agents.get(node)!.runFolder, "vms", victim.name, "guest.json"));
    },
    async [Symbol.asyncDispose]() {
      if (gateway !== null) {
        gateway.child.kill("SIGTERM");
        await gateway.ended;
      }
      await server[Symbol.asyncDispose]();
      await forge[Symbol.asyncDispose]();
      expect(await readdir(join(scratch, "fleet.git"))).toContain("refs");
    },
  };
}

const gatewayFile = (server: AGitServer, forge: AForge, hookSecretFile: string, data: string): string => `
kind: Gateway
publicUrl: https://odorobo.example.net
data: ${data}
fleets:
  - name: shop
    repository: { url: "${server.url}", ref: main }
    interval: ${INTERVAL}
    forge:
      kind: forgejo
      url: ${forge.url}
      repository: ${forge.config.repository}
      tokenFile: ${forge.config.tokenFile}
      hookSecretFile: ${hookSecretFile}
      pullRequests: true
`;
