/** Where a watch finds its agent and its changes: `--agent`, and a kernel that watches no more files. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { aLiveFleet } from "../support/a-live-fleet.ts";
import { startOdorobo } from "../support/run-odorobo.ts";

/** In a namespace of its own, where the kernel watches nothing for anybody. */
const BLIND = ["unshare", "--user", "--map-root-user", "sh", "-c"];
const DEAFEN = 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"';
const isLimitable = spawnSync(BLIND[0]!, [...BLIND.slice(1), DEAFEN, "sh", "true"]).status === 0;

describe.concurrent("watch", { timeout: 120_000 }, () => {
  test("--agent: another one than the manifests name, and hints that ask no other", async () => {
    await using fleet = await aLiveFleet("n1");
    const url = fleet.url("n1");
    const node = [
      "apiVersion: odorobo.dev/v1",
      "kind: Node",
      "metadata: { name: n1 }",
      "spec: { address: http://127.0.0.1:1 }",
      "",
    ];
    await fleet.write("nodes/n1.yaml", node.join("\n"));
    await fleet.vm("web-1");
    const state = join(fleet.scratch, "state");
    using watch = startOdorobo(["watch", fleet.folder, "--agent", url, "--state", state]);
    await watch.waitFor("stdout", "applied r1");
    await fleet.vm("web-1", ["memory: 96MiB"]);
    const hint = await watch.waitFor("stderr", "Nobody is here to answer");
    expect(hint).toContain(`odorobo watch ${fleet.folder} --agent ${url} --state ${state} --auto reboot`);
    expect(hint).not.toContain("odorobo apply");
    watch.child.kill("SIGINT");
    expect(await watch.ended).toMatchObject({ code: 0, stdout: expect.stringContaining("1 guest runs on: web-1") });
  });

  test.runIf(isLimitable)("a kernel that watches no more files: said, and looked at again and again", async () => {
    await using fleet = await aLiveFleet("n1");
    await fleet.vm("web-1");
    const through = [...BLIND, DEAFEN, "sh"];
    using watch = startOdorobo(["watch", fleet.folder, "--state", join(fleet.scratch, "state")], { through });
    await watch.waitFor("stdout", "every file is looked at every 2 s instead");
    await watch.waitFor("stdout", "applied r1");
    await fleet.vm("web-2");
    await watch.waitFor("stdout", "boot web-2 on n1");
    watch.child.kill("SIGINT");
    expect((await watch.ended).code).toBe(0);
  });
});
