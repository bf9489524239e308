/** People who only push: a repository at a forge, a gateway, three agents. Each push is followed to the guests, and back to the commit. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { VmReport } from "../../../src/model/observed-state.ts";
import { git } from "../a-repository.ts";
import type { Running } from "../run-odorobo.ts";
import type { SystemAgent } from "../system-agent.ts";
import type { SystemWorld } from "../system-world.ts";
import { until } from "../until.ts";
import type { TeamForge } from "./team-forge.ts";

/** What is polled never comes within the test: hooks are heard, or nothing is seen. */
const INTERVAL = "1h";
export const PATIENCE_MS = 60_000;

export interface TeamSettings {
  readonly hypervisor: "qemu" | "noop";
  readonly hookSecret: string;
}

export type Team = Awaited<ReturnType<typeof aTeam>>;

export async function aTeam(world: SystemWorld, forge: TeamForge, { hypervisor, hookSecret }: TeamSettings) {
  const { scratch, fleet } = world;
  await world.defaults({ hypervisor });
  const agents = new Map<string, SystemAgent>();
  for (const name of ["n1", "n2", "n3"]) {
    const agent = await world.agent(name, { hypervisors: [hypervisor] });
    agents.set(name, agent);
    if (agent.pid === null) await agent.start();
    await world.node(name, agent.url);
  }
  const data = join(scratch, "gateway");
  const secretFile = join(scratch, "hook-secret");
  await writeFile(secretFile, `${hookSecret}\n`, { mode: 0o600 });
  await writeFile(join(scratch, "gateway.yaml"), gatewayFile(forge, secretFile, data));
  await git(fleet, "init", "--quiet", "--initial-branch=main");
  await git(fleet, "remote", "add", "origin", forge.pushUrl);
  let gateway: Running | null = null;
  const pulls = new Map<string, number>();
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
    const [, url = ""] = /ready on (\S+)/.exec(await gateway.waitFor("stdout", "ready on ")) ?? [];
    await forge.hooksTo(`${url}/v1/hooks/shop`);
  };
  const said = () => gateway?.stderr() ?? "";

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
    else await forge.pushed("main", now);
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
    /** On a branch of its own, from main the first time. Answers with its number and its comment once that is about this commit. */
    async pullRequest(branch: string, message: string, spec: readonly string[]) {
      const isNew = (await git(fleet, "branch", "--list", branch)) === "";
      await git(fleet, "checkout", "--quiet", ...(isNew ? ["-b"] : []), branch);
      await world.vm("web-1", ["placement: { node: n1 }", ...spec]);
      const now = await commit(message);
      await git(fleet, "push", "--quiet", "origin", branch);
      await git(fleet, "checkout", "--quiet", "main");
      if (isNew) pulls.set(branch, await forge.openPull(branch, now, fleet));
      else await forge.movePull(pulls.get(branch)!, branch, now, fleet);
      const number = pulls.get(branch)!;
      const about = async () => (await forge.comments(number)).find(({ body }) => body.includes(now.slice(0, 7)));
      await until(
        `the plan of ${now} stands at the pull request`,
        async () => (await about()) !== undefined,
        PATIENCE_MS,
      ).catch(async (error) => {
        throw new Error(`${error}\n${JSON.stringify(await forge.comments(number))}\n${said().slice(-4_000)}`);
      });
      return { number, ...(await about())! };
    },
    async merge(branch: string) {
      await git(fleet, "merge", "--quiet", "--no-ff", "--message", `Merge ${branch}`, branch);
      await forge.closePull(pulls.get(branch)!);
      return await pushed();
    },
    /** Waits until that stands at the commit. */
    async stands(at: string, state: string, line: string) {
      const latest = async () => (await forge.statuses(at)).at(-1);
      const isSo = async () => {
        const now = await latest();
        return now?.state === state && now.line.includes(line);
      };
      await until(`${at.slice(0, 12)} is ${state}: ${line}`, isSo, PATIENCE_MS).catch(async (error) => {
        throw new Error(`${error}\n${JSON.stringify(await forge.statuses(at), null, 1)}\n${said().slice(-6_000)}`);
      });
      return (await latest())!;
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
    },
  };
}

const gatewayFile = (forge: TeamForge, hookSecretFile: string, data: string): string => `
kind: Gateway
publicUrl: https://odorobo.example.net
data: ${data}
fleets:
  - name: shop
    repository: { url: "${forge.cloneUrl}", ref: main }
    interval: ${INTERVAL}
    forge:
      kind: ${forge.kind}
      url: ${forge.url}
      repository: ${forge.repository}
      tokenFile: ${forge.tokenFile}
      hookSecretFile: ${hookSecretFile}
      pullRequests: true
`;
