/**
 * Random faults against gateways that share an etcd: three processes over three real members, on one fleet of rehearsed guests. Gateways
 * are killed, paused beyond their lease and woken, cut off from etcd; members of etcd are killed, paused, or lose their majority; the
 * leader's key is taken away; people push, approve and refuse at any gateway. What must hold is looked at from outside: in the agents'
 * own logs of who ordered what, in etcd, and in what was answered to people.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { RunList } from "../../src/report/run-document.ts";
import { EtcdRunStore } from "../../src/run-store/etcd/etcd-run-store.ts";
import { type ACluster, aCluster, findTwoLeaders, TOKEN } from "../../test/support/a-cluster.ts";
import { type ARelay, aRelay } from "../../test/support/a-relay.ts";
import { until } from "../../test/support/until.ts";
import { chanceOf } from "../chance.ts";
import { findViolations } from "../loops/check-runs.ts";

export const CLUSTER_FAULTS = [
  "push",
  "push",
  "push",
  "approve",
  "approve",
  "approve",
  "refuse",
  "kill-leader",
  "kill-other",
  "pause-leader",
  "pause-leader",
  "cut-leader",
  "cut-leader",
  "take-key",
  "kill-member",
  "pause-member",
  "no-majority",
  "agent-away",
] as const;
export type ClusterFault = (typeof CLUSTER_FAULTS)[number];

export interface ClusterResult {
  readonly byKind: ReadonlyMap<ClusterFault, number>;
  readonly violations: readonly string[];
  readonly takeovers: number;
}

const NAMES = ["a", "b", "c"] as const;
const VMS = ["web-1", "web-2", "web-3", "web-4"];
const NODES = ["n1", "n2"];
const PAUSE_MS = 900;
/** With a lease of 3 s. */
const BEYOND_MS = 4_500;
const CALM_MS = 180_000;
const auth = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };

export async function runCluster(seed: number, count: number, signal: AbortSignal): Promise<ClusterResult> {
  const chance = chanceOf(seed);
  const byKind = new Map<ClusterFault, number>();
  const violations: string[] = [];
  const relays = new Map<string, readonly ARelay[]>();
  await using cluster = await aCluster({
    nodes: NODES,
    leaseSeconds: 3,
    endpointsOf: async (name, endpoints) => {
      const own = await Promise.all(endpoints.map((endpoint) => aRelay(endpoint)));
      relays.set(name, own);
      return own.map(({ address }) => address);
    },
  });
  await using closing = new AsyncDisposableStack();
  for (const relay of [...relays.values()].flat()) closing.use(relay);
  const wanted = new Map<string, number>();
  const save = async (name: string) => {
    wanted.set(name, 64 * (1 + chance.below(6)));
    await cluster.fleet.vm(name, [`memory: ${wanted.get(name)}MiB`], { "noop.odorobo.dev/boot-delay": "300ms" });
  };
  const answers: Answer[] = [];
  const leaderOr = async () => (await cluster.leaders())[0] ?? NAMES[chance.below(3)]!;
  try {
    for (const name of VMS.slice(0, 2)) await save(name);
    await cluster.commit();
    for (const name of NAMES) cluster.start(name);
    await cluster.leader();
    for (let number = 0; number < count && !signal.aborted; number++) {
      const kind = CLUSTER_FAULTS[chance.below(CLUSTER_FAULTS.length)]!;
      const member = cluster.etcd.members[chance.below(3)]!;
      const other = cluster.etcd.members[chance.below(3)]!;
      const somebody = NAMES[chance.below(3)]!;
      byKind.set(kind, (byKind.get(kind) ?? 0) + 1);
      if (kind === "push") {
        await save(VMS[chance.below(VMS.length)]!);
        await cluster.commit();
      } else if (kind === "approve" || kind === "refuse") answers.push(...(await answer(cluster, somebody, kind)));
      else if (kind === "kill-leader" || kind === "kill-other") {
        const name = kind === "kill-leader" ? await leaderOr() : somebody;
        cluster.gateway(name).signal("SIGKILL");
        await cluster.gateway(name).running.ended;
      } else if (kind === "pause-leader") {
        const gateway = cluster.gateway(await leaderOr());
        gateway.signal("SIGSTOP");
        await sleep(chance.often(0.7) ? BEYOND_MS : chance.below(3_000));
        gateway.signal("SIGCONT");
      } else if (kind === "cut-leader") {
        const own = relays.get(await leaderOr())!;
        for (const relay of own) relay.cut();
        await sleep(chance.often(0.7) ? BEYOND_MS : chance.below(3_000));
        for (const relay of own) relay.mend();
      } else if (kind === "take-key") {
        // As a woken leader of etcd does it to a lease that was renewed in time.
        await cluster.etcd.ctl(chance.below(3), "del", "--prefix", "/odorobo/leader/").catch(() => {});
      } else if (kind === "kill-member") {
        await member.kill();
        await sleep(chance.below(2_500));
        await member.start();
      } else if (kind === "pause-member") {
        member.pause();
        await sleep(chance.below(4_000));
        member.resume();
      } else if (kind === "no-majority") {
        for (const each of new Set([member, other])) each.pause();
        await sleep(chance.below(6_000));
        for (const each of new Set([member, other])) each.resume();
      } else {
        const node = NODES[chance.below(2)]!;
        await cluster.fleet.stop(node);
        await sleep(chance.below(PAUSE_MS));
        await cluster.fleet.comeBack(node);
        await cluster.commit();
      }
      await sleep(chance.below(PAUSE_MS));
      for (const name of NAMES) if (chance.below(3) > 0) cluster.start(name);
    }
    await comeToRest(cluster, wanted, save);
  } catch (error) {
    violations.push(error instanceof Error ? error.message : String(error));
  }
  const orders = await Promise.all(NODES.map((node) => cluster.ordered(node)));
  for (const [number, ordered] of orders.entries())
    violations.push(...findTwoLeaders(ordered).map((problem) => `${NODES[number]}: ${problem}`));
  const store = new EtcdRunStore({
    etcd: cluster.etcd.connect({ prefix: "/odorobo/", callMs: 5_000 }),
    term: () => null,
    leaderTerm: () => null,
    onTrouble: () => {},
  });
  violations.push(...(await findViolations([store]).catch((error: unknown) => [String(error)])));
  violations.push(...(await findLost(store, answers)));
  return { byKind, violations, takeovers: new Set(orders.flat().map(({ term }) => term)).size };
}

interface Answer {
  readonly run: string;
  readonly kind: "approve" | "refuse";
}

/** To all that wait, at that gateway. Those that were answered with yes are told. */
async function answer(cluster: ACluster, name: string, kind: Answer["kind"]): Promise<readonly Answer[]> {
  try {
    const url = await cluster.gateway(name).url();
    const within = () => AbortSignal.timeout(20_000);
    const list = (await (
      await fetch(`${url}/v1/runs`, { headers: auth, signal: AbortSignal.timeout(5_000) })
    ).json()) as RunList;
    const waiting = list.runs.filter(({ status }) => status === "waiting");
    const given: Answer[] = [];
    for (const { id } of waiting) {
      const response = await fetch(`${url}/v1/runs/${id}/${kind}`, {
        method: "POST",
        headers: auth,
        body: "{}",
        signal: within(),
      });
      if (response.ok) given.push({ run: id, kind });
    }
    return given;
  } catch {
    return [];
  }
}

/** What was answered with yes stands in the run. */
async function findLost(store: EtcdRunStore, answers: readonly Answer[]): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { run, kind } of answers) {
    const { state } = await store.find(run);
    if (kind === "approve" && state.approvedBy === null) problems.push(`the approval of ${run} is lost`);
    if (kind === "refuse" && state.outcome !== "refused") problems.push(`the refusal of ${run} is lost`);
  }
  return problems;
}

/** All is well from here on, and a person says yes to everything: then all is as the manifests say. */
async function comeToRest(
  cluster: ACluster,
  wanted: ReadonlyMap<string, number>,
  save: (name: string) => Promise<void>,
): Promise<void> {
  for (const name of VMS) await save(name);
  await cluster.commit();
  for (const member of cluster.etcd.members) await member.start();
  let seen = "";
  await until(
    "all is as the manifests say",
    async () => {
      for (const name of NAMES) cluster.start(name);
      await answer(cluster, NAMES[0], "approve");
      seen = await worldOf(cluster);
      return (
        seen ===
        [...wanted]
          .sort()
          .map(([name, memory]) => `${name} running ${memory}`)
          .join(", ")
      );
    },
    CALM_MS,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${seen}`);
  });
  const leader = await cluster.leader();
  await until(
    "no run is left",
    async () => {
      const url = await cluster.gateway(leader).url();
      const { runs } = (await (await fetch(`${url}/v1/runs`, { headers: auth })).json()) as RunList;
      await answer(cluster, leader, "approve");
      return runs.every(({ status }) => ["done", "failed", "aborted", "refused", "replaced"].includes(status));
    },
    CALM_MS,
  );
}

async function worldOf({ fleet }: ACluster): Promise<string> {
  const lines: string[] = [];
  for (const node of NODES) {
    const response = await fetch(`${fleet.url(node)}/v1/report`);
    const { vms } = (await response.json()) as {
      readonly vms: readonly { name: string; phase: string; spec: { memory: { sizeMiB: number } } }[];
    };
    lines.push(...vms.map(({ name, phase, spec }) => `${name} ${phase} ${spec.memory.sizeMiB}`));
  }
  return lines.sort().join(", ");
}
