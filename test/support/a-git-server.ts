/** A bare repository behind `git daemon`, as a forge without accounts would have it: anybody may fetch and push. On loopback. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { git } from "./a-repository.ts";
import { until } from "./until.ts";

export interface AGitServer extends AsyncDisposable {
  /** Of the repository: `git://127.0.0.1:…/fleet.git`. */
  readonly url: string;
  readonly port: number;
}

/** `folder`: where `fleet.git` is made. */
export async function aGitServer(folder: string, env: NodeJS.ProcessEnv): Promise<AGitServer> {
  await mkdir(join(folder, "fleet.git"), { recursive: true });
  await git(join(folder, "fleet.git"), "init", "--quiet", "--bare", "--initial-branch=main");
  const port = await freePort();
  const child = spawn(
    "git",
    [
      "daemon",
      "--reuseaddr",
      "--listen=127.0.0.1",
      `--port=${port}`,
      `--base-path=${folder}`,
      "--export-all",
      "--enable=receive-pack",
      folder,
    ],
    // In a group of its own: what it starts for each client ends with it.
    { detached: true, stdio: "ignore", env: { ...process.env, ...env } },
  );
  const ended = once(child, "close");
  await until("the git daemon answers", async () => {
    if (child.exitCode !== null) throw new Error(`git daemon ended with ${child.exitCode}`);
    return await answers(port);
  });
  return {
    url: `git://127.0.0.1:${port}/fleet.git`,
    port,
    async [Symbol.asyncDispose]() {
      process.kill(-(child.pid as number), "SIGKILL");
      await ended;
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
