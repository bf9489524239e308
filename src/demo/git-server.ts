/** The demo's repository: a bare one behind `git daemon`, where anybody on this machine may push. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { OdoroboError } from "../model/errors.ts";
import { git } from "./scratch-fleet.ts";

export interface GitServer extends AsyncDisposable {
  readonly url: string;
}

const NAME = "fleet.git";
const START_DEADLINE_MS = 20_000;
const POLL_MS = 20;

/** `folder`: where the repository is made. Rejects with SOURCE_UNREADABLE when git does not serve it. */
export async function startGitServer(folder: string): Promise<GitServer> {
  await mkdir(join(folder, NAME));
  await git(join(folder, NAME), "init", "--quiet", "--bare", "--initial-branch", "main");
  const port = await freePort();
  const place = ["--listen=127.0.0.1", `--port=${port}`, "--reuseaddr", `--base-path=${folder}`];
  // In a group of its own: what it starts for each client ends with it.
  const child = spawn("git", ["daemon", ...place, "--export-all", "--enable=receive-pack", folder], {
    detached: true,
    stdio: "ignore",
  });
  const ended = once(child, "close");
  const stop = async () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGTERM");
    await ended;
  };
  for (const end = performance.now() + START_DEADLINE_MS; !(await answers(port)); await delay(POLL_MS)) {
    if (child.exitCode === null && performance.now() < end) continue;
    await stop();
    throw new OdoroboError("SOURCE_UNREADABLE", "git daemon did not start", {
      hint: "install git: apt-get install git",
    });
  }
  return { url: `git://127.0.0.1:${port}/${NAME}`, [Symbol.asyncDispose]: stop };
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
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
