/** The agents of a fleet behind Unix sockets, in a process of their own. Disposing ends it. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { PreparedFleet } from "./prepared-fleet.ts";
import type { Tree } from "./tree.ts";

export interface ServedFleet extends AsyncDisposable {
  /** A guest there has other CPUs than a moment ago, and an event says so. */
  drift(node: string): void;
}

export const serveFleet = (fleet: PreparedFleet, tree: Tree, signal: AbortSignal): Promise<ServedFleet> =>
  serveAgents("agents", [fleet.reports, fleet.sockets, String(fleet.nodes)], tree, signal);

/** `name`: of a process that says when it is ready, and ends when it is let go of. */
export async function serveAgents(
  name: string,
  args: readonly string[],
  tree: Tree,
  signal: AbortSignal,
): Promise<ServedFleet> {
  const child = fork(join(tree.root, `bench/processes/${name}.ts`), [...args], {
    env: tree.env,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ended = once(child, "exit");
  const kill = () => void child.kill("SIGKILL");
  signal.addEventListener("abort", kill);
  const ready = await Promise.race([once(child, "message"), ended.then(() => null)]);
  if (ready === null) throw new Error("the agents of the bench did not start");
  return {
    drift: (node) => void child.send({ drift: node }),
    async [Symbol.asyncDispose]() {
      signal.removeEventListener("abort", kill);
      // One that was killed has let go already.
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
