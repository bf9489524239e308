/** The agents of a prepared fleet behind Unix sockets, in a process of their own. Disposing ends it. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { PreparedFleet } from "./prepared-fleet.ts";
import type { Tree } from "./tree.ts";

export async function serveFleet(fleet: PreparedFleet, tree: Tree, signal: AbortSignal): Promise<AsyncDisposable> {
  const args = [fleet.reports, fleet.sockets, String(fleet.nodes)];
  const child = fork(join(tree.root, "bench/processes/agents.ts"), args, {
    env: tree.env,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ended = once(child, "exit");
  const kill = () => void child.kill("SIGKILL");
  signal.addEventListener("abort", kill);
  const ready = await Promise.race([once(child, "message"), ended.then(() => null)]);
  if (ready === null) throw new Error("the agents of the bench did not start");
  return {
    async [Symbol.asyncDispose]() {
      signal.removeEventListener("abort", kill);
      // One that was killed has let go already.
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
