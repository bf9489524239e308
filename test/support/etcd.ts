/** Three members of a real etcd on loopback, in memory: killed, paused, brought back, and gone at the end. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { Etcd, type EtcdOptions } from "../../src/etcd/etcd.ts";
import type { EtcdTls } from "../../src/etcd/member.ts";
import type { Certificates } from "./certificates.ts";
import { aTempFolder } from "./temp-folder.ts";
import { until } from "./until.ts";

export interface EtcdMember {
  readonly endpoint: string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** With its data, unless told that they are lost: then it does not come back by itself. */
  start(): Promise<void>;
  pause(): void;
  resume(): void;
  readonly isUp: boolean;
  log(): string;
}

export interface AnEtcd extends AsyncDisposable {
  readonly members: readonly EtcdMember[];
  readonly endpoints: readonly string[];
  /** Resolves when all members that are up know a leader. */
  ready(): Promise<void>;
  /** A client of the test's own, closed at the end. */
  connect(over?: Partial<EtcdOptions>): Etcd;
  /** What this member calls its leader is itself. */
  leader(): Promise<EtcdMember>;
  /** A member's data are gone; another of its name takes its place, as docs/high-availability.md says. */
  replace(number: number): Promise<void>;
  /** `etcdctl`, at one member. */
  ctl(member: number, ...argv: string[]): Promise<string>;
}

export interface EtcdRig {
  readonly count?: number;
  /** Nobody is answered without a certificate of that authority. */
  readonly certificates?: Certificates;
  /** For all members, or for one of them. */
  readonly flags?: (member: number) => readonly string[];
  /** In a network namespace of its own each, say: what stands before `etcd`, and the address it has there. */
  readonly place?: (member: number) => { readonly before: readonly string[]; readonly address: string };
}

export async function anEtcd({ count = 3, flags = () => [], place, certificates }: EtcdRig = {}): Promise<AnEtcd> {
  const folder = await aTempFolder({ inMemory: true });
  const ports = await freePorts(count * 2);
  const addressOf = (number: number) => place?.(number).address ?? "127.0.0.1";
  const peerOf = (number: number) => `http://${addressOf(number)}:${ports[number * 2]}`;
  const scheme = certificates === undefined ? "http" : "https";
  const clientOf = (number: number) => `${scheme}://${addressOf(number)}:${ports[number * 2 + 1]}`;
  const numbers = [...Array(count).keys()];
  const cluster = numbers.map((number) => `m${number}=${peerOf(number)}`).join();
  const clients: Etcd[] = [];
  const dataOf = (number: number) => join(folder.path, `m${number}`);
  const secure = certificates === undefined ? null : toFlags(certificates);
  const tls = certificates === undefined ? null : readTls(certificates);
  const etcdctl = (endpoint: string, ...argv: readonly string[]) =>
    runEtcdctl(endpoint, ...(secure?.etcdctl ?? []), ...argv);
  const members = numbers.map((number) => {
    const argv = [
      ...["--name", `m${number}`, "--data-dir", dataOf(number)],
      ...["--listen-client-urls", clientOf(number), "--advertise-client-urls", clientOf(number)],
      ...["--listen-peer-urls", peerOf(number), "--initial-advertise-peer-urls", peerOf(number)],
      ...[
        "--initial-cluster",
        cluster,
        "--initial-cluster-token",
        folder.path,
        "--logger",
        "zap",
        "--log-level",
        "warn",
      ],
      ...(secure?.member ?? []),
      ...flags(number),
    ];
    return new Process(
      clientOf(number),
      [...(place?.(number).before ?? []), "etcd", ...argv],
      join(folder.path, `${number}.log`),
    );
  });
  const rig: AnEtcd = {
    members,
    endpoints: members.map(({ endpoint }) => endpoint),
    async ready() {
      const etcd = rig.connect();
      await until("etcd has a leader", async () =>
        (await etcd.members()).every(({ hasLeader }, number) => hasLeader || !members[number]!.isUp),
      );
      await until("etcd answers", () =>
        etcd.get("x").then(
          () => true,
          () => false,
        ),
      );
    },
    connect(over = {}) {
      const etcd = new Etcd({ endpoints: rig.endpoints, tls, prefix: "/test/", ...over });
      clients.push(etcd);
      return etcd;
    },
    async leader() {
      let found: EtcdMember | undefined;
      await until("a member leads", async () => {
        for (const member of members.filter(({ isUp }) => isUp)) {
          const text = await etcdctl(member.endpoint, "endpoint", "status", "-w", "json").catch(() => "[]");
          const status = (JSON.parse(text) as { Status: { leader: number; header: { member_id: number } } }[])[0]
            ?.Status;
          if (status !== undefined && status.leader === status.header.member_id) found = member;
        }
        return found !== undefined;
      });
      return found!;
    },
    async replace(number) {
      const other = members.find((member, at) => at !== number && member.isUp)!.endpoint;
      const name = `m${number}`;
      await members[number]!.kill();
      await rm(dataOf(number), { recursive: true });
      const lines = (await etcdctl(other, "member", "list")).split("\n");
      const [id = ""] = lines.find((line) => line.includes(`, ${name}, `))!.split(",");
      // For some seconds after it has lost one, etcd takes nobody in: "unhealthy cluster".
      const insist = (...argv: readonly string[]) =>
        until(`etcdctl ${argv.join(" ")}`, () =>
          etcdctl(other, ...argv).then(
            () => true,
            () => false,
          ),
        );
      await insist("member", "remove", id);
      await insist("member", "add", name, `--peer-urls=${peerOf(number)}`);
      members[number]!.joins();
      await members[number]!.start();
      await rig.ready();
    },
    ctl: (number, ...argv) => etcdctl(members[number]!.endpoint, ...argv),
    async [Symbol.asyncDispose]() {
      for (const etcd of clients) etcd.close();
      await Promise.all(members.map((member) => member.kill()));
      await rm(folder.path, { recursive: true, force: true });
    },
  };
  try {
    await mkdir(folder.path, { recursive: true });
    await Promise.all(members.map((member) => member.start()));
    if (place === undefined) await rig.ready();
  } catch (error) {
    await rig[Symbol.asyncDispose]();
    throw error;
  }
  return rig;
}

class Process implements EtcdMember {
  readonly endpoint: string;
  #argv: readonly string[];
  readonly #log: string;
  #child: ChildProcess | null = null;
  constructor(endpoint: string, argv: readonly string[], log: string) {
    this.endpoint = endpoint;
    this.#argv = argv;
    this.#log = log;
  }
  get isUp(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }
  async start(): Promise<void> {
    if (this.isUp) return;
    const [program = "", ...argv] = this.#argv;
    // One core each is enough: what they are for is to fail.
    const child = spawn(program, argv, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, GOMAXPROCS: "1" } });
    const keep = (bytes: Buffer) => appendFileSync(this.#log, bytes);
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    this.#child = child;
    await once(child, "spawn");
  }
  /** A cluster that is there, when it is begun next. */
  joins(): void {
    this.#argv = [...this.#argv, "--initial-cluster-state", "existing"];
  }
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || !this.isUp) return;
    const ended = once(child, "close");
    child.kill("SIGKILL");
    await ended;
  }
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }
  resume(): void {
    this.#child?.kill("SIGCONT");
  }
  log(): string {
    return readFileSync(this.#log, "utf8");
  }
}

const toFlags = ({ caFile, server, client }: Certificates) => ({
  member: [
    ...["--client-cert-auth", "--trusted-ca-file", caFile],
    ...["--cert-file", server.certFile, "--key-file", server.keyFile],
  ],
  etcdctl: ["--cacert", caFile, "--cert", client.certFile, "--key", client.keyFile],
});

const readTls = ({ caFile, client }: Certificates): EtcdTls => ({
  ca: readFileSync(caFile),
  cert: readFileSync(client.certFile),
  key: readFileSync(client.keyFile),
});

const ETCDCTL = "etcdctl";

async function runEtcdctl(endpoint: string, ...argv: string[]): Promise<string> {
  const child = spawn(ETCDCTL, ["--endpoints", endpoint, ...argv], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ETCDCTL_API: "3" },
  });
  let out = "";
  child.stdout.on("data", (bytes) => {
    out += bytes;
  });
  child.stderr.on("data", (bytes) => {
    out += bytes;
  });
  const [code] = (await once(child, "close")) as [number];
  if (code !== 0) throw new Error(`etcdctl ${argv.join(" ")}: ${out}`);
  return out;
}

/** Nobody has them just now. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
