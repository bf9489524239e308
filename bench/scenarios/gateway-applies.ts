/** From a push to what agents do: the first act, a thousand VMs changed, and hundreds of webhooks a second. */
import { setTimeout as sleep } from "node:timers/promises";
import { type GatewayChild, startGatewayChild } from "../gateway/gateway-child.ts";
import { type NoopFleet, serveNoopFleet, VMS_FILE } from "../gateway/noop-fleet.ts";
import { monotonicMs } from "../gateway/told.ts";
import type { Sample } from "../measure.ts";
import { type Row, rowOf } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";

const AGENTS = 10;

export const gatewayApplies: Scenario = {
  name: "gateway-applies",
  about: "from a push to acts of real agents with noop guests, and a storm of webhooks",
  async run(bench) {
    const vms = bench.quick ? 20 : 1_000;
    await using fleet = await serveNoopFleet(vms, AGENTS, bench);
    await using gateway = await startGatewayChild(fleet.repository.folder, { mayAct: true }, bench);
    bench.say(`a gateway that applies to ${vms} noop VMs`);
    await gateway.next("revision", 0, ({ standing }) => standing === "applied");
    return [
      await firstAct(fleet, gateway, bench),
      await everybody(fleet, gateway, vms, bench),
      ...(await storm(fleet, gateway, bench)),
    ];
  },
};

async function firstAct({ repository }: NoopFleet, gateway: GatewayChild, bench: Bench): Promise<Row> {
  const samples: Sample[] = [];
  for (let push = 0; push < (bench.quick ? 1 : 11); push++) {
    bench.signal.throwIfAborted();
    const commit = repository.push(VMS_FILE(push), (text) => text.replace("cpu: 100", "cpu: 200"));
    // The repository was looked at for the push before, which is at least a second ago.
    await sleep(1_100);
    const since = gateway.told.length;
    const begun = monotonicMs();
    await gateway.hook(commit);
    const { at } = await gateway.next("step", since);
    samples.push(sampleOf(at - begun, "one VM's weight is another"));
    await applied(gateway, since, commit);
  }
  return rowOf("a push → the first act", samples, bench.quick ? {} : { target: { atMost: 1_000 } });
}

async function everybody({ repository }: NoopFleet, gateway: GatewayChild, vms: number, bench: Bench): Promise<Row> {
  const samples: Sample[] = [];
  for (const count of bench.quick ? [2] : [2, 3, 2]) {
    const commit = repository.push("fleet.yaml", (text) => text.replace(/count: \d/, `count: ${count}`));
    const since = gateway.told.length;
    const begun = monotonicMs();
    await gateway.hook(commit);
    const { at } = await applied(gateway, since, commit);
    const acts = gateway.told.slice(since).filter(({ kind }) => kind === "step").length;
    samples.push(sampleOf(at - begun, `${acts} acts until the revision is applied`));
  }
  return rowOf(`${vms} VMs changed → reconciled`, samples, bench.quick ? {} : { target: { atMost: 15_000 } });
}

/** Webhooks, a second. */
const STORM = 200;

async function storm({ repository }: NoopFleet, gateway: GatewayChild, bench: Bench): Promise<Row[]> {
  const seconds = bench.quick ? 2 : 10;
  const since = gateway.told.length;
  const begun = monotonicMs();
  const hooks: Promise<void>[] = [];
  let commit = "";
  let pushedAt = begun;
  for (let tick = 0; tick < seconds * 10; tick++) {
    bench.signal.throwIfAborted();
    // Somebody pushes twice a second, all the while.
    if (tick % 5 === 0) {
      commit = repository.push(VMS_FILE(tick % 20), (text) => text.replace(/cpu: \d+/, `cpu: ${300 + tick}`));
      pushedAt = monotonicMs();
    }
    for (let hook = 0; hook < STORM / 10; hook++) hooks.push(gateway.hook(commit));
    await sleep(Math.max(0, begun + (tick + 1) * 100 - monotonicMs()));
  }
  await Promise.all(hooks);
  const { at } = await applied(gateway, since, commit);
  const plans = gateway.told.slice(since).flatMap((told) => (told.kind === "planned" ? [told] : []));
  const commits = [...new Map(plans.toReversed().map((plan) => [plan.commit, plan.at])).values()];
  const span = (Math.max(...commits) - Math.min(...commits)) / 1_000;
  // Of several that came between two looks, the last is planned.
  const rate = commits.length < 2 ? commits.length : (commits.length - 1) / span;
  const did = `${STORM} webhooks a second for ${seconds} s and a push each half; ${commits.length} commits planned`;
  const rest = `${plans.length} plans in all, those after acts and of agents' events included`;
  return [
    {
      ...rowOf("commits planned in a storm", [sampleOf(rate, `${did}; ${rest}`)], { unit: "/s" }),
      target: bench.quick ? null : { atMost: 1 },
    },
    rowOf("a storm's last push is applied after", [sampleOf(at - pushedAt, did)]),
  ];
}

const applied = (gateway: GatewayChild, since: number, commit: string) =>
  gateway.next(
    "revision",
    since,
    ({ revision, standing }) => standing === "applied" && revision === commit.slice(0, 12),
  );

const sampleOf = (milliseconds: number, did: string): Sample => ({
  milliseconds,
  peakMiB: null,
  cpuMs: null,
  did,
  values: {},
});
