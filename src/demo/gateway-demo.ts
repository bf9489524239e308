/**
 * A team that only pushes: a bare repository behind `git daemon`, a gateway, three agents and a forge. Each push is followed to the guests and back to
 * its commit. What is said is what happened: each step is waited for, and the demo fails where it does not come.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { VmReport } from "../model/observed-state.ts";
import { isOnPath } from "../platform/is-on-path.ts";
import { type DemoAgent, startAgent } from "./demo-agents.ts";
import { type GitServer, startGitServer } from "./git-server.ts";
import { type DemoOptions, endDemo, expectExit, killGuest, NODES } from "./run-demo.ts";
import { git, makeScratchFleet, type ScratchFleet } from "./scratch-fleet.ts";
import { type Stage, setStage } from "./stage.ts";
import { type StandInForge, startStandInForge, type ToldStatus } from "./stand-in-forge.ts";

/** On a machine without KVM that does something else besides. */
const PATIENCE_MS = 120_000;
const POLL_MS = 100;
const PULL = 7;
/** The file with the token of those who may approve. */
const PEOPLE = "people.token";

export async function runGatewayDemo({ command, signal, print }: Omit<DemoOptions, "keep">): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "odorobo-demo-"));
  const place = { command, folder };
  const stage = setStage({ ...place, signal, print });
  try {
    await using forge = await startStandInForge((status) => say(stage, status));
    await using server = await startGitServer(folder);
    stage.heading("Three agents, a repository behind git daemon, a forge that listens");
    const agents = await Promise.all(NODES.map((name) => startAgent(place, name, null)));
    for (const agent of agents) stage.say(`agent ${agent.name} answers on ${agent.url}`);
    stage.say(`the repository is ${server.url}`);
    const urls = Object.fromEntries(agents.map((agent) => [agent.name, agent.url]));
    const hypervisor = (await isOnPath("qemu-system-x86_64")) ? "qemu" : "noop";
    const fleet = await makeScratchFleet(join(folder, "fleet"), urls, hypervisor);
    await git(fleet.folder, "remote", "add", "origin", server.url);
    await using gateway = new DemoGateway(command, folder);
    await new Story({ ...{ stage, fleet, forge, server, gateway, agents, folder }, signal, command }).play();
  } finally {
    await endDemo(folder, command, print);
  }
}

/** Only what people read: that it is at work is over in a moment. */
function say(stage: Stage, { commit, context, state, line }: ToldStatus): void {
  if (state === "pending" && !line.startsWith("waits")) return;
  stage.say(`   forge, at ${commit.slice(0, 8)}: ${context} ${state}: ${line}`);
}

interface StoryParts {
  readonly stage: Stage;
  readonly fleet: ScratchFleet;
  readonly forge: StandInForge;
  readonly server: GitServer;
  readonly gateway: DemoGateway;
  readonly agents: readonly DemoAgent[];
  readonly folder: string;
  readonly command: DemoOptions["command"];
  readonly signal: AbortSignal;
}

class Story {
  readonly #parts: StoryParts;

  constructor(parts: StoryParts) {
    this.#parts = parts;
  }

  async play(): Promise<void> {
    const { stage, fleet, forge, gateway, server } = this.#parts;
    stage.heading("A push, and the guests run");
    await fleet.edit("fleet.yaml", "  policy:\n", "  policy:\n    gateway: { auto: live }\n");
    await fleet.commit("what may be done without asking");
    await gateway.start(await this.#configuration(server.url));
    await this.#applied(await this.#push());
    expectExit(0, await stage.odorobo("status", "fleet"));

    stage.heading("A pull request: its plan is one comment, before anybody merges");
    await this.#pullRequest("web-1 needs more memory", "profile: web", "profile: web\n  memory: 96MiB");
    stage.say("\nand when it is pushed to again, that comment is brought up to date:");
    await this.#pullRequest("a little more", "memory: 96MiB", "memory: 128MiB");

    stage.heading("Merged: a reboot is beyond what policy lets be done without asking");
    await git(fleet.folder, "merge", "--quiet", "--no-ff", "--message", "Merge more-memory", "more-memory");
    forge.pull = null;
    await this.#approved(await this.#push());

    stage.heading("A guest is killed, another is shut down by hand: both run again");
    const victim = await this.#vm("web-2");
    await killGuest(victim, this.#parts, stage);
    await this.#until("web-2 runs again", async () => {
      const { phase, pid, since } = await this.#vm("web-2");
      return phase === "running" && (pid !== victim.pid || since !== victim.since);
    });
    expectExit(0, await stage.odorobo("vm", "shutdown", "web-3", "--fleet", "fleet", "--grace", "5s"));
    await this.#until("web-3 runs again", async () => (await this.#vm("web-3")).phase === "running");
    stage.say("they run; what the gateway did is among its runs:");
    expectExit(0, await stage.odorobo("runs", "list", "--gateway", gateway.url, "--token-file", PEOPLE));

    stage.heading("A branch whose history was rewritten is refused; nothing moves");
    const good = await git(fleet.folder, "rev-parse", "HEAD");
    await git(fleet.folder, "reset", "--quiet", "--hard", "HEAD~2");
    await fleet.edit("vms/web-2.yaml", "labels: { app: web }", "labels: { app: web, tier: lost }");
    await fleet.commit("history was rewritten");
    await this.#stands(await this.#push("--force"), "failure", "");
    await git(fleet.folder, "reset", "--quiet", "--hard", good);
    await this.#push("--force");

    stage.heading("The revert of a commit undoes it");
    await fleet.edit("vms/web-2.yaml", "labels: { app: web }", "labels: { app: web, tier: front }");
    await fleet.commit("a label");
    await this.#applied(await this.#push());
    await git(fleet.folder, "revert", "--no-edit", "HEAD");
    await this.#applied(await this.#push());
    const { spec } = await this.#vm("web-2");
    if (spec?.labels.tier !== undefined) throw new Error("the label is still there");
    stage.say("the label is gone again");
  }

  async #push(...flags: readonly string[]): Promise<string> {
    const { stage, fleet, forge, gateway } = this.#parts;
    const commit = await git(fleet.folder, "rev-parse", "HEAD");
    const subject = await git(fleet.folder, "log", "-1", "--format=%s");
    stage.say(`\n$ git push ${[...flags, "origin", "main"].join(" ")}   # ${commit.slice(0, 8)} ${subject}`);
    await git(fleet.folder, "push", "--quiet", ...flags, "origin", "HEAD:refs/heads/main");
    await forge.send(gateway.hook, "push", { ref: "refs/heads/main", after: commit, commits: [{ id: commit }] });
    return commit;
  }

  async #pullRequest(message: string, from: string, to: string): Promise<void> {
    const { stage, fleet, forge, gateway } = this.#parts;
    const branch = "more-memory";
    await git(fleet.folder, "checkout", "--quiet", ...(forge.pull === null ? ["-b"] : []), branch);
    await fleet.edit("vms/web-1.yaml", from, to);
    await fleet.commit(message);
    const commit = await git(fleet.folder, "rev-parse", "HEAD");
    await git(fleet.folder, "push", "--quiet", "origin", branch, `+HEAD:refs/pull/${PULL}/head`);
    await git(fleet.folder, "checkout", "--quiet", "main");
    const action = forge.pull === null ? "opened" : "synchronized";
    forge.pull = { number: PULL, branch, commit };
    const pull = { number: PULL, head: { ref: branch, sha: commit }, base: { ref: "main" } };
    await forge.send(gateway.hook, "pull_request", { action, number: PULL, pull_request: pull });
    await this.#until(
      "the plan stands at the pull request",
      () => forge.comment()?.body.includes(commit.slice(0, 7)) === true,
    );
    const shown =
      forge
        .comment()
        ?.body.split("\n")
        .filter((line) => line.trim() !== "" && !line.startsWith("<!--")) ?? [];
    stage.say(
      shown
        .slice(0, 12)
        .map((line) => `   │ ${line}`)
        .join("\n"),
    );
  }

  async #approved(commit: string): Promise<void> {
    const { stage, gateway } = this.#parts;
    const { line } = await this.#stands(commit, "pending", "odorobo runs approve");
    const run = /odorobo runs approve (\S+)/.exec(line)?.[1] ?? "";
    expectExit(0, await stage.odorobo("runs", "approve", run, "--gateway", gateway.url, "--token-file", PEOPLE));
    await this.#applied(commit);
  }

  #applied = (commit: string): Promise<ToldStatus> => this.#stands(commit, "success", "applied");

  async #stands(commit: string, state: string, words: string): Promise<ToldStatus> {
    const { statuses } = this.#parts.forge;
    const latest = () => statuses.findLast((each) => each.commit === commit && each.context === "odorobo/shop");
    await this.#until(
      `${commit.slice(0, 8)} is ${state} ${words}`,
      () => latest()?.state === state && latest()?.line.includes(words) === true,
    );
    return latest() as ToldStatus;
  }

  async #vm(name: string): Promise<VmReport> {
    return await this.#parts.stage.ask<VmReport>("vm", "info", name, "--fleet", "fleet");
  }

  async #until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const { signal, gateway } = this.#parts;
    for (const end = performance.now() + PATIENCE_MS; !(await holds()); await delay(POLL_MS, undefined, { signal }))
      if (performance.now() > end) throw new Error(`this did not happen: ${what}\n${gateway.log()}`);
  }

  /** Secrets are in files; the rest is what a team would write. */
  async #configuration(repository: string): Promise<string> {
    const { folder, forge } = this.#parts;
    const file = async (name: string, text: string) => {
      await writeFile(join(folder, name), `${text}\n`, { mode: 0o600 });
      return name;
    };
    return await file(
      "gateway.yaml",
      `kind: Gateway
publicUrl: https://odorobo.example.net
data: ${folder}/gateway
tokenFile: ${await file(PEOPLE, randomUUID())}
fleets:
  - name: shop
    repository: { url: "${repository}", ref: main }
    forge:
      kind: forgejo
      url: ${forge.url}
      repository: ${forge.repository}
      tokenFile: ${await file("forge.token", forge.token)}
      hookSecretFile: ${await file("hook.secret", forge.hookSecret)}
      pullRequests: true`,
    );
  }
}

/** `odorobo gateway` as a process of its own; what it logs is in a file. */
class DemoGateway implements AsyncDisposable {
  readonly #command: DemoOptions["command"];
  readonly #folder: string;
  readonly #logFile: string;
  #child: ChildProcess | null = null;
  url = "";

  constructor(command: DemoOptions["command"], folder: string) {
    this.#command = command;
    this.#folder = folder;
    mkdirSync(join(folder, "logs"));
    this.#logFile = join(folder, "logs", "gateway.log");
  }

  get hook(): string {
    return `${this.url}/v1/hooks/shop`;
  }

  log = (): string => readFileSync(this.#logFile, "utf8").slice(-4_000);

  async start(configuration: string): Promise<void> {
    const [node, entry] = this.#command;
    const log = openSync(this.#logFile, "w");
    const args = ["gateway", "--config", configuration, "--listen", "127.0.0.1:0", "--log-format", "json"];
    const child = spawn(node, [entry, ...args], { cwd: this.#folder, stdio: ["ignore", log, log] });
    closeSync(log);
    this.#child = child;
    for (const end = performance.now() + PATIENCE_MS; this.url === ""; await delay(POLL_MS)) {
      this.url = / ready on (http:\S+)/.exec(this.log())?.[1] ?? "";
      if (this.url === "" && (child.exitCode !== null || performance.now() > end))
        throw new Error(`the gateway did not start\n${this.log()}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGTERM");
    await ended;
  }
}
