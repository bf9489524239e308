/** The agents of a prepared fleet behind Unix sockets, in a process of their own. Disposing ends it. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { ProcessOptions } from "./measure.ts";
import type { PreparedFleet } from "./prepared-fleet.ts";

export async function serveFleet(fleet: PreparedFleet, { env, signal }: ProcessOptions): Promise<AsyncDisposable> {
  const args = [fleet.reports, fleet.sockets, String(fleet.nodes)];
  const child = fork(join(import.meta.dirname, "processes/agents.ts"), args, {
    env,
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
      child.disconnect();
      await ended;
    },
  };
}
