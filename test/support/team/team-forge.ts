/** The forge of a team's story: where it pushes to, and what its people see there. A stand-in on loopback, or a real one. */

import { type AGitServer, aGitServer } from "../a-git-server.ts";
import { pullHook, pushHook, type SentHook } from "../a-hook.ts";
import { git } from "../a-repository.ts";
import { type AForge, aForge } from "../forge/a-forge.ts";
import type { GiteaProgram } from "../forge/a-real-gitea.ts";
import { aRealGitea } from "../forge/a-real-gitea.ts";

export interface SeenStatus {
  readonly commit: string;
  readonly state: string;
  readonly line: string;
}

export interface SeenComment {
  readonly id: number;
  readonly body: string;
}

export interface TeamForge extends AsyncDisposable {
  readonly kind: "gitea" | "forgejo";
  readonly url: string;
  readonly repository: string;
  readonly tokenFile: string;
  /** As the gateway reads it. */
  readonly cloneUrl: string;
  readonly pushUrl: string;
  /** Its webhooks go there from now on. */
  hooksTo(url: string): Promise<void>;
  /** After a push to the branch. */
  pushed(branch: string, commit: string): Promise<void>;
  /** Of a branch that was pushed, into main. Answers with its number. */
  openPull(branch: string, commit: string, folder: string): Promise<number>;
  /** Its branch was pushed again. */
  movePull(number: number, branch: string, commit: string, folder: string): Promise<void>;
  closePull(number: number): Promise<void>;
  /** Those of ours at a commit, the latest last. */
  statuses(commit: string): Promise<readonly SeenStatus[]>;
  /** Those of ours. */
  comments(number: number): Promise<readonly SeenComment[]>;
}

export interface TeamForgeSettings {
  readonly hookSecret: string;
  readonly context: string;
}

/** The stand-in checks every field that it is told, and its hooks are sent by the test. */
export async function aStandInForge(
  scratch: string,
  env: NodeJS.ProcessEnv,
  { hookSecret, context }: TeamForgeSettings,
): Promise<TeamForge> {
  const kind = "forgejo";
  const server: AGitServer = await aGitServer(scratch, env);
  const forge: AForge = await aForge(kind);
  let hooks = "";
  const send = async ({ headers, body }: SentHook) => {
    if (hooks === "") return;
    const response = await fetch(hooks, { method: "POST", headers, body: new Uint8Array(body) });
    if (response.status !== 202)
      throw new Error(`a hook was answered with ${response.status}: ${await response.text()}`);
  };
  const pull = (action: string, number: number, head: string, commit: string) =>
    send(pullHook(kind, { number, action, head, commit, base: "main" }, { secret: hookSecret }));
  // A forge has the head of a pull request under this name, too.
  const keepHead = (number: number, commit: string, folder: string) =>
    git(folder, "push", "--quiet", "--force", server.url, `${commit}:refs/pull/${number}/head`);
  return {
    kind,
    url: forge.url,
    repository: forge.config.repository,
    tokenFile: forge.config.tokenFile,
    cloneUrl: server.url,
    pushUrl: server.url,
    async hooksTo(url) {
      hooks = url;
    },
    async pushed(branch, commit) {
      if (branch === "main") await send(pushHook(kind, "refs/heads/main", commit, { secret: hookSecret }));
    },
    async openPull(branch, commit, folder) {
      const number = 7;
      await keepHead(number, commit, folder);
      forge.openPull({ number, branch, commit, base: "main" });
      await pull("opened", number, branch, commit);
      return number;
    },
    async movePull(number, branch, commit, folder) {
      await keepHead(number, commit, folder);
      forge.movePull(number, commit);
      await pull("synchronized", number, branch, commit);
    },
    closePull: async (number) => forge.closePull(number),
    statuses: async (commit) => forge.statuses.filter((each) => each.commit === commit && each.context === context),
    comments: async (number) => forge.comments(number),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await forge[Symbol.asyncDispose]();
    },
  };
}

interface GiteaStatus {
  readonly id: number;
  readonly status: string;
  readonly description: string;
  readonly context: string;
}

/** A real one sends its own hooks, and keeps the heads of pull requests by itself. */
export async function aRealForge(
  program: GiteaProgram,
  { hookSecret, context }: TeamForgeSettings,
): Promise<TeamForge> {
  const real = await aRealGitea(program);
  const repository = `/repos/${real.config.repository}`;
  return {
    kind: real.kind,
    url: real.url,
    repository: real.config.repository,
    tokenFile: real.config.tokenFile,
    cloneUrl: `${real.url}/${real.config.repository}.git`,
    pushUrl: real.pushUrl,
    async hooksTo(url) {
      await real.call("POST", `${repository}/hooks`, {
        type: real.kind,
        active: true,
        events: ["push", "pull_request", "pull_request_sync"],
        config: { url, content_type: "json", secret: hookSecret },
      });
    },
    async pushed() {},
    async openPull(branch) {
      const pull = await real.call("POST", `${repository}/pulls`, { head: branch, base: "main", title: branch });
      return (pull as { readonly number: number }).number;
    },
    async movePull() {},
    // It sees by itself that it was merged.
    async closePull() {},
    async statuses(commit) {
      const all = await real.call("GET", `${repository}/commits/${commit}/statuses?limit=50`);
      return (all as readonly GiteaStatus[])
        .filter((each) => each.context === context)
        .toSorted((a, b) => a.id - b.id)
        .map(({ status, description }) => ({ commit, state: status, line: description }));
    },
    async comments(number) {
      const all = await real.call("GET", `${repository}/issues/${number}/comments`);
      return (all as readonly (SeenComment & { readonly user: { readonly login: string } })[]).filter(
        ({ user }) => user.login === "odorobo-bot",
      );
    },
    [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
  };
}
