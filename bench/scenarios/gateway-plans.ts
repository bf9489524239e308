/** How soon a gateway has a plan: after an agent's event, and after a push, of a fleet that it holds. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { FleetSize } from "../fleet-texts.ts";
import { nodeNameOf } from "../fleet-texts.ts";
import { type GatewayChild, startGatewayChild } from "../gateway/gateway-child.ts";
import { Pushed } from "../gateway/pushed.ts";
import { monotonicMs } from "../gateway/told.ts";
import { installed } from "../installed.ts";
import { runCommand, runProcess, type Sample } from "../measure.ts";
import { type PreparedFleet, prepareFleet } from "../prepared-fleet.ts";
import { type Row, ratioRow, rowOf, type Target } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";
import { type ServedFleet, serveFleet } from "../serve-fleet.ts";
import { sizesFor } from "../sizes.ts";
import { cacheOf } from "../tree.ts";

export const gatewayPlans: Scenario = {
  name: "gateway-plans",
  about: "from an agent's event, and from a push, to a gateway's plan",
  async run(bench) {
    const { small, large, label } = sizesFor(bench.quick);
    const smalls = await measure(bench, small, label(small), { event: { atMost: 500 } });
    if (bench.quick) return smalls;
    return [
      ...smalls,
      ...(await measure(bench, large, label(large), { ofFresh: { atMost: 0.25 }, ofCold: { atMost: 0.2 } })),
    ];
  },
};

interface Targets {
  readonly event?: Target;
  /** The event's plan to the command, the revision's to a plan without any cache. */
  readonly ofFresh?: Target;
  readonly ofCold?: Target;
}

const PAIRS = 5;
/** An agent that has just told of something is asked again for a while: what is measured is a fleet at rest. */
const REST_MS = 3_000;

async function measure(bench: Bench, size: FleetSize, label: string, targets: Targets): Promise<Row[]> {
  const fleet = await prepareFleet(bench.ours, size, bench);
  await using served = await serveFleet(fleet, bench.ours, bench.signal);
  await using gateway = await startGatewayChild(fleet.manifests, { mayAct: false }, bench);
  bench.say(`a gateway of ${size.vms} VMs on ${size.nodes} nodes`);
  await gateway.next("planned", 0);
  const pairs = bench.quick ? 1 : PAIRS;
  const judged = (target: Target | undefined) => (bench.quick || target === undefined ? {} : { target });
  const events: Sample[] = [];
  const fresh: Sample[] = [];
  const pushes: Sample[] = [];
  const cold: Sample[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    bench.signal.throwIfAborted();
    events.push(await planAfterEvent(gateway, served, nodeNameOf(pair % size.nodes), bench));
    fresh.push(await freshPlan(fleet, bench));
    pushes.push(await planAfterPush(gateway, new Pushed(fleet.manifests), fileOf(pair, size), bench));
    cold.push(await coldPlan(fleet, bench));
  }
  const ratio = (name: string, ours: readonly Sample[], theirs: readonly Sample[], target: Target | undefined) => {
    const ratios = ours.map(({ milliseconds }, pair) => milliseconds / (theirs[pair]?.milliseconds ?? Number.NaN));
    const shown = `pair by pair: ${ratios.map((each) => each.toFixed(2)).join(" ")}`;
    return ratioRow(name, ratios, shown, bench.quick ? null : (target ?? null));
  };
  return [
    rowOf(`an event → plan, ${label}`, events, judged(targets.event)),
    rowOf(`odorobo plan, ${label}, in turns`, fresh),
    ratio(`an event → plan : odorobo plan, ${label}`, events, fresh, targets.ofFresh),
    rowOf(`a push → plan, ${label}`, pushes),
    rowOf(`a cold plan, ${label}, in turns`, cold),
    ratio(`a push → plan : a cold plan, ${label}`, pushes, cold, targets.ofCold),
  ];
}

async function planAfterEvent(gateway: GatewayChild, served: ServedFleet, node: string, bench: Bench): Promise<Sample> {
  await rest(bench);
  const before = await gateway.use();
  const since = gateway.told.length;
  const begun = monotonicMs();
  served.drift(node);
  const { at, steps } = await gateway.next("planned", since);
  const { cpuMs } = await gateway.use();
  if (steps !== 1) throw new Error(`one guest has drifted, and the plan has ${steps} steps`);
  // What nobody heals stays: it is taken back, so that the next one is alone again.
  served.drift(node);
  await gateway.next("planned", gateway.told.length, (told) => told.steps === 0);
  return sample(
    at - begun,
    cpuMs - before.cpuMs,
    "a guest has drifted: its node is asked, then everybody, as for any plan that does something",
  );
}

async function planAfterPush(gateway: GatewayChild, repository: Pushed, file: string, bench: Bench): Promise<Sample> {
  await rest(bench);
  const commit = repository.push(file, (text) =>
    text.replace(/(pushed-)?owner: "/, (_, again) => (again === undefined ? 'pushed-owner: "' : 'owner: "')),
  );
  const before = await gateway.use();
  const since = gateway.told.length;
  const begun = monotonicMs();
  await gateway.hook(commit);
  const { at, steps } = await gateway.next("planned", since, (told) => told.commit === commit);
  const { cpuMs } = await gateway.use();
  return sample(at - begun, cpuMs - before.cpuMs, `one manifest is another: ${steps} steps`);
}

async function freshPlan(fleet: PreparedFleet, bench: Bench): Promise<Sample> {
  const command = join(await installed(bench.ours, bench), "bin/run.js");
  return {
    ...(await runCommand(command, ["plan", fleet.manifests, "--timeout", "60s"], {
      ...bench.ours,
      signal: bench.signal,
    })),
    did: "the command, in a process of its own",
  };
}

async function coldPlan({ manifests, reports }: PreparedFleet, bench: Bench): Promise<Sample> {
  await rm(cacheOf(bench.ours), { recursive: true, force: true });
  return await runProcess("plan", [manifests, reports], bench.ours, bench.signal);
}

const sample = (milliseconds: number, cpuMs: number, did: string): Sample => ({
  milliseconds,
  cpuMs: Math.round(cpuMs),
  peakMiB: null,
  did,
  values: {},
});

/** As `fleet-texts.ts` names them. */
function fileOf(vm: number, { nodes }: FleetSize): string {
  const app = Math.floor(vm / Math.min(10, nodes));
  const tier = ["web", "db", "worker"][app % 3];
  const pad = (index: number) => String(index).padStart(5, "0");
  return `vms/${tier}/app-${pad(app)}/${tier}-${pad(vm)}.yaml`;
}

const rest = (bench: Bench): Promise<void> => new Promise((resolve) => setTimeout(resolve, bench.quick ? 0 : REST_MS));
