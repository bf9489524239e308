/** Real servers of git repositories on loopback, with all of a folder's repositories: git's own daemon, HTTP with a password, ssh. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, createServer as createSocket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { listening } from "./listening.ts";

const run = promisify(execFile);

export interface GitServer extends AsyncDisposable {
  readonly port: number;
}

/** `signal` reaches it and what it has started. */
export interface GitProgram extends GitServer {
  signal(name: NodeJS.Signals): void;
}

/** `git://127.0.0.1:PORT/REPOSITORY`. */
export async function aGitDaemon(folder: string): Promise<GitProgram> {
  return await started((port) => {
    const how = ["--export-all", "--reuseaddr", `--base-path=${folder}`, "--listen=127.0.0.1", `--port=${port}`];
    return spawn("git", ["daemon", ...how, folder], { detached: true, stdio: "ignore" });
  });
}

/** `http://127.0.0.1:PORT/REPOSITORY`, by git http-backend, to whoever sends one of these `name:password`. */
export async function aGitHttpServer(
  folder: string,
  passwords: ReadonlySet<string>,
  tls: { readonly certFile: string; readonly keyFile: string } | null = null,
  onRequest: (request: IncomingMessage) => void = () => {},
): Promise<GitServer> {
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    onRequest(request);
    const [, sent = ""] = /^Basic (.*)$/.exec(request.headers.authorization ?? "") ?? [];
    if (passwords.has(Buffer.from(sent, "base64").toString())) return void backend(folder, request, response);
    response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end(`who is ${sent}?`);
  };
  if (tls === null) return await listening(createServer(answer));
  const [cert, key] = await Promise.all([readFile(tls.certFile), readFile(tls.keyFile)]);
  return await listening(createTlsServer({ cert, key }, answer));
}

/** A CGI program: its header lines, then what is to be sent. */
async function backend(folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, search } = new URL(request.url ?? "/", "http://x");
  const env = {
    PATH: process.env.PATH,
    GIT_PROJECT_ROOT: folder,
    GIT_HTTP_EXPORT_ALL: "1",
    PATH_INFO: decodeURIComponent(pathname),
    QUERY_STRING: search.slice(1),
    REQUEST_METHOD: request.method,
    CONTENT_TYPE: request.headers["content-type"] ?? "",
    HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
    GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
  };
  const child = spawn("git", ["http-backend"], { env, stdio: ["pipe", "pipe", "ignore"] });
  request.pipe(child.stdin).on("error", () => {});
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
  const all = Buffer.concat(chunks);
  const end = all.indexOf("\r\n\r\n");
  let status = 200;
  for (const line of all.toString("latin1", 0, end).split("\r\n")) {
    const [, name = "", value = ""] = /^([^:]+): (.*)$/.exec(line) ?? [];
    if (name === "Status") status = Number.parseInt(value, 10);
    else if (name !== "") response.setHeader(name, value);
  }
  response.writeHead(status).end(all.subarray(end + 4));
}

export interface SshServer extends GitProgram {
  readonly user: string;
  /** Who may come in: a key without a passphrase. */
  readonly keyFile: string;
  readonly strangersKeyFile: string;
  readonly knownHostsFile: string;
  /** SHA256:… of the host's key. */
  readonly fingerprint: string;
  /** The same server with another host key. */
  again(): Promise<GitServer>;
}

/** `ssh://USER@127.0.0.1:PORT/PATH`, any path. Needs "sshd". */
export async function anSshServer(folder: string): Promise<SshServer> {
  const at = (name: string) => join(folder, name);
  for (const name of ["host", "other-host", "me", "stranger"])
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(name)]);
  await writeFile(at("authorized_keys"), await readFile(at("me.pub")), { mode: 0o600 });
  // Where it wants to put processes that may nothing.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true });
  const start = (hostKey: string, wanted?: number) =>
    started((port) => {
      const options = [
        `HostKey=${at(hostKey)}`,
        `AuthorizedKeysFile=${at("authorized_keys")}`,
        "ListenAddress=127.0.0.1",
        "StrictModes=no",
        "UsePAM=no",
        "PasswordAuthentication=no",
        "KbdInteractiveAuthentication=no",
        "PermitRootLogin=prohibit-password",
        "PidFile=none",
        "Subsystem=sftp internal-sftp",
      ].flatMap((option) => ["-o", option]);
      return spawn("/usr/sbin/sshd", ["-D", "-e", "-f", "/dev/null", "-p", String(port), ...options], {
        detached: true,
        stdio: "ignore",
      });
    }, wanted);
  const server = await start("host");
  const [, kind, key] = /^(\S+) (\S+)/.exec(await readFile(at("host.pub"), "utf8")) ?? [];
  await writeFile(at("known_hosts"), `[127.0.0.1]:${server.port} ${kind} ${key}\n`);
  const { stdout } = await run("ssh-keygen", ["-l", "-f", at("host.pub")]);
  return {
    ...server,
    user: (await run("id", ["-un"])).stdout.trim(),
    keyFile: at("me"),
    strangersKeyFile: at("stranger"),
    knownHostsFile: at("known_hosts"),
    fingerprint: /SHA256:\S+/.exec(stdout)?.[0] ?? "",
    async again() {
      await server[Symbol.asyncDispose]();
      return await start("other-host", server.port);
    },
    [Symbol.asyncDispose]: server[Symbol.asyncDispose],
  };
}

const START_MS = 30_000;

/** A program that listens on a port that it is given, in a process group of its own, once it does. */
async function started(start: (port: number) => ChildProcess, wanted?: number): Promise<GitProgram> {
  const port = wanted ?? (await freePort());
  const child = start(port);
  const signal = (name: NodeJS.Signals) => void (child.pid !== undefined && process.kill(-child.pid, name));
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const over = once(child, "exit");
    signal("SIGKILL");
    await over;
  };
  for (const end = performance.now() + START_MS; !(await answers(port)); await sleep(20)) {
    if (child.exitCode === null && performance.now() < end) continue;
    await stop();
    throw new Error(`${child.spawnfile} does not listen`);
  }
  return { port, signal, [Symbol.asyncDispose]: stop };
}

async function freePort(): Promise<number> {
  const server = createSocket().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const settle = (isOpen: boolean) => () => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", settle(true)).once("error", settle(false));
  });
