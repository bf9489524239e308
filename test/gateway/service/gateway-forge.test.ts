/** A gateway as a process, with a forge: what is pushed and hooked is told at the commit, and a pull request gets its plan. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { aGateway } from "../../support/a-gateway.ts";
import { type HookSettings, pullHook, pushHook, type SentHook } from "../../support/a-hook.ts";
import { aLiveFleet } from "../../support/a-live-fleet.ts";
import { commitFiles, git } from "../../support/a-repository.ts";
import { aForge } from "../../support/forge/a-forge.ts";
import { until } from "../../support/until.ts";

const SECRET: HookSettings = { secret: "secret-of-the-hook" };

test("a push is told by its hook and at its commit, broken ones with their place; a pull request gets its plan", {
  timeout: 180_000,
}, async () => {
  await using fleet = await aLiveFleet("n1");
  await using stand = await aForge("forgejo");
  await fleet.vm("web-1");
  await git(fleet.folder, "init", "--quiet", "--initial-branch=main");
  const first = await commitFiles(fleet.folder, {});
  const at = (name: string) => join(fleet.scratch, name);
  await writeFile(at("hook-secret"), `${SECRET.secret}\n`, { mode: 0o600 });
  const api = { kind: "forgejo", url: stand.url, repository: "shop/fleet", tokenFile: stand.config.tokenFile };
  const entry = {
    name: "shop",
    repository: { url: `file://${fleet.folder}`, ref: "main" },
    // What is seen is seen because of the hook.
    interval: "1h",
    forge: { ...api, hookSecretFile: at("hook-secret"), pullRequests: true },
  };
  const file = { kind: "Gateway", data: at("gateway"), publicUrl: "https://gw.example.net", fleets: [entry] };
  await writeFile(at("gateway.yaml"), JSON.stringify(file));
  using gateway = aGateway("--config", at("gateway.yaml"));
  const hook = async ({ headers, body }: SentHook, status = 202) => {
    const answer = await fetch(`${await gateway.url()}/v1/hooks/shop`, { method: "POST", headers, body });
    expect(answer.status).toBe(status);
  };
  const stands = (commit: string, state: string) =>
    until(`${commit} is told as ${state}`, () => stand.latest(commit)?.state === state, 90_000);

  await stands(first, "success");
  expect(stand.latest(first)).toEqual({
    commit: first,
    context: "odorobo/shop",
    state: "success",
    line: "applied",
    link: "https://gw.example.net/v1/fleets/shop",
  });

  await fleet.vm("web-2", ["memory: much"]);
  const broken = await commitFiles(fleet.folder, {});
  await hook(pushHook("forgejo", "refs/heads/main", broken, { secret: "another" }), 401);
  await hook(pushHook("forgejo", "refs/heads/main", broken, SECRET));
  await stands(broken, "failure");
  expect(stand.latest(broken)?.line).toMatch(/^refused: vms\/web-2\.yaml:\d+:\d+ /);

  await fleet.vm("web-2");
  const second = await commitFiles(fleet.folder, {});
  await hook(pushHook("forgejo", "refs/heads/main", second, SECRET));
  await stands(second, "success");

  await git(fleet.folder, "checkout", "--quiet", "-b", "more");
  await fleet.vm("web-3");
  const head = await commitFiles(fleet.folder, {});
  await git(fleet.folder, "update-ref", "refs/pull/7/head", head);
  await git(fleet.folder, "checkout", "--quiet", "main");
  stand.openPull({ number: 7, branch: "more", commit: head, base: "main" });
  await hook(pullHook("forgejo", { number: 7, action: "opened", head: "more", commit: head, base: "main" }, SECRET));
  await stands(head, "success");
  expect(stand.latest(head)).toMatchObject({ context: "odorobo/shop/plan", line: "1 to create; 2 unchanged" });
  expect(stand.comments(7).map(({ body }) => body)).toEqual([expect.stringContaining("<code>web-3</code>")]);
  const { code } = await gateway.stop();
  expect(code).toBe(0);
  expect(gateway.running.stderr()).not.toContain(stand.token);
});
