/** Gateways as processes over one etcd, on one fleet of rehearsed guests; and what the agents say of who has ordered what. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { GatewayFleetList } from "../../src/report/gateway/gateway-documents.ts";
import { type AGateway, aGateway } from "./a-gateway.ts";
import { aLiveFleet, type LiveFleet } from "./a-live-fleet.ts";
import { commitFiles, git } from "./a-repository.ts";
import { type AnEtcd, anEtcd, type EtcdRig } from "./etcd.ts";
import { until } from "./until.ts";

export const TOKEN = "token-of-the-test";

/** As an agent wrote it down, in the order in which it came. */
export interface Ordered {
  readonly term: string;
  readonly path: string;
  readonly step: string | null;
  readonly code: string | null;
  readonly at: string;
}

export interface ACluster extends AsyncDisposable {
  readonly fleet: LiveFleet;
  readonly etcd: AnEtcd;
  /** By name; one that has ended is begun anew. */
  start(name: string): AGateway;
  gateway(name: string): AGateway;
  /** Those that answer and say that they lead. */
  leaders(): Promise<readonly string[]>;
  /** Resolves with its name when exactly one does. */
  leader(): Promise<string>;
  list(name: string): Promise<GatewayFleetList>;
  commit(): Promise<string>;
  /** Resolves when that commit is applied, as that gateway says. */
  applied(name: string, commit: string): Promise<void>;
  ordered(node: string): Promise<readonly Ordered[]>;
}

export interface ClusterRig extends EtcdRig {
  readonly nodes?: readonly string[];
  readonly fleetPolicy?: readonly string[];
  readonly leaseSeconds?: number;
  /** How that gateway reaches them. */
  readonly endpointsOf?: (gateway: string, endpoints: readonly string[]) => Promise<readonly string[]>;
}

export async function aCluster(rig: ClusterRig = {}): Promise<ACluster> {
  const { nodes = ["n1"], leaseSeconds = 5, endpointsOf = async (_: string, all: readonly string[]) => all } = rig;
  await using opened = new AsyncDisposableStack();
  const fleet = opened.use(await aLiveFleet(...nodes));
  const etcd = opened.use(await anEtcd(rig));
  await git(fleet.folder, "init", "--quiet", "--initial-branch=main");
  const tokenFile = join(fleet.scratch, "token");
  await writeFile(tokenFile, TOKEN, { mode: 0o600 });
  const gateways = new Map<string, AGateway>();
  const answering = () =>
    [...gateways].filter(([, { running }]) => running.child.exitCode === null && running.child.signalCode === null);
  const cluster: ACluster = {
    fleet,
    etcd,
    start(name) {
      const known = gateways.get(name);
      if (known !== undefined && known.running.child.exitCode === null && known.running.child.signalCode === null)
        return known;
      known?.[Symbol.dispose]();
      const gateway = aGateway("--config", join(fleet.scratch, `${name}.yaml`));
      gateways.set(name, gateway);
      return gateway;
    },
    gateway: (name) => gateways.get(name)!,
    async leaders() {
      const all = await Promise.all(
        answering().map(async ([name]) => ({ name, list: await cluster.list(name).catch(() => null) })),
      );
      return all.flatMap(({ name, list }) =>
        list?.gateway.leader.mode === "cluster" && list.gateway.leader.leads ? [name] : [],
      );
    },
    async leader() {
      let found: readonly string[] = [];
      await until(
        "one leads",
        async () => {
          found = await cluster.leaders();
          return found.length === 1;
        },
        60_000,
      );
      return found[0]!;
    },
    async list(name) {
      const url = await gateways.get(name)!.url();
      const response = await fetch(`${url}/v1/fleets`, {
        headers: { authorization: `Bearer ${TOKEN}` },
        signal: AbortSignal.timeout(5_000),
      });
      return (await response.json()) as GatewayFleetList;
    },
    commit: () => commitFiles(fleet.folder, {}),
    async applied(name, commit) {
      await until(
        `${commit} is applied`,
        async () => {
          const [shown] = (await cluster.list(name)).fleets;
          return shown?.inForce?.commit === commit && shown.latest?.standing === "applied";
        },
        90_000,
      );
    },
    async ordered(node) {
      const folder = join(fleet.scratch, node, "d");
      const files = (await readdir(folder))
        .filter((file) => file.startsWith("audit.log"))
        .sort()
        .reverse();
      const lines = (await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")))).join("").split("\n");
      return lines.flatMap((line) => {
        if (line === "") return [];
        const entry = JSON.parse(line) as Omit<Ordered, "step"> & { event: string; operation: { id: string } | null };
        const { event, term, path, code, at, operation } = entry;
        return event === "request" && term !== undefined ? [{ term, path, code, at, step: operation?.id ?? null }] : [];
      });
    },
    async [Symbol.asyncDispose]() {
      for (const gateway of gateways.values()) {
        gateway.signal("SIGCONT");
        gateway[Symbol.dispose]();
      }
      await Promise.all([...gateways.values()].map(({ running }) => running.ended));
      await closing.disposeAsync();
    },
  };
  for (const name of ["a", "b", "c"]) {
    const endpoints = await endpointsOf(name, etcd.endpoints);
    const text = [
      "kind: Gateway",
      `data: data-${name}`,
      `tokenFile: ${tokenFile}`,
      `cluster: { name: ${name}, etcd: { endpoints: ${JSON.stringify(endpoints)}, leaseSeconds: ${leaseSeconds} } }`,
      "fleets:",
      `  - { name: shop, repository: { url: ${fleet.folder}, ref: main }, interval: 1s }`,
      "",
    ];
    await writeFile(join(fleet.scratch, `${name}.yaml`), text.join("\n"));
  }
  if (rig.fleetPolicy !== undefined)
    await fleet.write("fleet.yaml", [...FLEET, ...rig.fleetPolicy.map((line) => `  ${line}`), ""].join("\n"));
  const closing = opened.move();
  return cluster;
}

const FLEET = [
  "apiVersion: odorobo.dev/v1",
  "kind: Fleet",
  "metadata: { name: test }",
  "spec:",
  "  defaults: { hypervisor: noop, cpus: 1, memory: 64MiB }",
];

/** At one agent: terms only rise, but for what was refused; and no step was done in two. */
export function findTwoLeaders(ordered: readonly Ordered[]): readonly string[] {
  const problems: string[] = [];
  let highest = -1;
  for (const { term, path, code } of ordered) {
    const number = Number(/(\d+)$/.exec(term)?.[1]);
    if (code === "STALE_TERM") continue;
    if (number < highest) problems.push(`${path} was taken in term ${number} after ${highest}`);
    highest = Math.max(highest, number);
  }
  return problems;
}
