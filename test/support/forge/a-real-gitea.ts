/** A real Gitea or Forgejo on loopback, with a repository, its owner and a token of a bot; for tests where one is installed. */
import { execFile, spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { ForgeConfig } from "../../../src/gateway/forge/forge.ts";
import { aTempFolder } from "../temp-folder.ts";
import { until } from "../until.ts";

const run = promisify(execFile);

export interface GiteaProgram {
  readonly path: string;
  readonly kind: "gitea" | "forgejo";
}

/** By `ODOROBO_TEST_GITEA`, or on the PATH. */
export function findGitea(): GiteaProgram | null {
  const named = process.env.ODOROBO_TEST_GITEA;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = [named ?? [], ...folders.flatMap((folder) => [join(folder, "gitea"), join(folder, "forgejo")])].flat();
  const path = found.find((each) => existsSync(each));
  return path === undefined ? null : { path, kind: path.endsWith("forgejo") ? "forgejo" : "gitea" };
}

export interface RealGitea extends AsyncDisposable {
  readonly url: string;
  readonly kind: GiteaProgram["kind"];
  readonly config: ForgeConfig;
  /** As its owner, who may do all. Rejects when it does not answer with 2xx. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  /** For `git push`. */
  readonly pushUrl: string;
  /** Owner's access for the clone URL. */
  readonly owner: string;
}

export async function aRealGitea({ path, kind }: GiteaProgram): Promise<RealGitea> {
  const folder = await aTempFolder();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = join(folder.path, "app.ini");
  // Where a program without its files inside of it has them.
  const beside = dirname(realpathSync(path));
  const files = existsSync(join(beside, "templates")) ? `STATIC_ROOT_PATH = ${beside}` : "";
  await writeFile(config, settings(folder.path, port, files));
  await mkdir(join(folder.path, "home"));
  const env = { PATH: process.env.PATH, HOME: join(folder.path, "home"), GITEA_WORK_DIR: folder.path };
  const command = (...args: string[]) => run(path, [...args, "-c", config], { env, cwd: folder.path });
  await command("migrate");
  const makeUser = (name: string, ...more: string[]) => {
    const who = ["--username", name, "--password", "Correct-horse-1", "--email", `${name}@example.net`];
    return command("admin", "user", "create", ...who, "--must-change-password=false", ...more);
  };
  await makeUser("shop", "--admin");
  await makeUser("odorobo-bot");
  const token = async (name: string, scopes: string) => {
    const { stdout } = await command(
      "admin",
      "user",
      "generate-access-token",
      "--username",
      name,
      "--scopes",
      scopes,
      "--raw",
      "--token-name",
      "test",
    );
    return stdout.trim().split("\n").at(-1)!.trim();
  };
  const owner = await token("shop", "all");
  const bot = await token("odorobo-bot", "write:repository,write:issue,read:user");
  const server = spawn(path, ["web", "-c", config], { env, cwd: folder.path, stdio: "ignore" });
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  const call: RealGitea["call"] = async (method, place, body) => {
    const answer = await fetch(`${url}/api/v1${place}`, {
      method,
      headers: { authorization: `token ${owner}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${place}: ${answer.status} ${text.slice(0, 500)}`);
    return text === "" ? null : JSON.parse(text);
  };
  const dispose = async () => {
    server.kill("SIGTERM");
    await ended;
    await folder[Symbol.asyncDispose]();
  };
  try {
    await until(
      "it answers",
      async () => (await fetch(`${url}/api/v1/version`).catch(() => null))?.ok === true,
      120_000,
    );
    await call("POST", "/user/repos", { name: "fleet", default_branch: "main", auto_init: false });
    await call("PUT", "/repos/shop/fleet/collaborators/odorobo-bot", { permission: "write" });
    const tokenFile = join(folder.path, "token");
    await writeFile(tokenFile, bot, { mode: 0o600 });
    return {
      url,
      kind,
      owner,
      config: { kind, url, repository: "shop/fleet", tokenFile },
      call,
      pushUrl: `http://shop:${owner}@127.0.0.1:${port}/shop/fleet.git`,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

const settings = (folder: string, port: number, files: string): string => `
WORK_PATH = ${folder}
RUN_MODE = prod
${process.getuid?.() === 0 ? "RUN_USER = root\nI_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true" : ""}
[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = ${port}
ROOT_URL = http://127.0.0.1:${port}/
DISABLE_SSH = true
OFFLINE_MODE = true
APP_DATA_PATH = ${folder}/data
${files}
[database]
DB_TYPE = sqlite3
PATH = ${folder}/data/gitea.db
[repository]
ROOT = ${folder}/repositories
[security]
INSTALL_LOCK = true
SECRET_KEY = of-a-test-that-is-gone-in-a-minute
PASSWORD_HASH_ALGO = pbkdf2$1000$10
[service]
DISABLE_REGISTRATION = true
[webhook]
ALLOWED_HOST_LIST = loopback
[log]
MODE = console
LEVEL = critical
[indexer]
ISSUE_INDEXER_TYPE = db
`;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
