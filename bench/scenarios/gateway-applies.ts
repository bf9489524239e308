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
    await using gateway = await startGatewayChild(fleet.repository.folder, true, bench);
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
    const since = gateway.told.length;
    const begun = monotonicMs();
    gateway.look();
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
    gateway.look();
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
  let commit = "";
  for (let tick = 0; tick < seconds * 10; tick++) {
    bench.signal.throwIfAborted();
    // Somebody pushes twice a second, all the while.
    if (tick % 5 === 0)
      commit = repository.push(VMS_FILE(tick % 20), (text) => text.replace(/cpu: \d+/, `cpu: ${300 + tick}`));
    for (let hook = 0; hook < STORM / 10; hook++) gateway.look();
    await sleep(Math.max(0, begun + (tick + 1) * 100 - monotonicMs()));
  }
  const lastHook = monotonicMs();
  const { at } = await applied(gateway, since, commit);
  const looks = gateway.told.slice(since).flatMap((told) => (told.kind === "planned" ? [told.at] : []));
  const most = Math.max(...looks.map((from) => looks.filter((each) => each >= from && each < from + 1_000).length));
  const did = `${STORM} webhooks a second for ${seconds} s, ${looks.length} plans`;
  return [
    rowOf("plans in the busiest second of a storm", [sampleOf(most, did)], { unit: "/s" }),
    rowOf("the storm's last push is applied after", [sampleOf(Math.max(1, at - lastHook), did)]),
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
