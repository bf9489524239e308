/**
 * A fleet that is held between plans is planned as from scratch, byte for byte, whatever happens to agents, guests and manifests. What no
 * agent's line tells of is not seen before everybody is asked; and nothing is ever planned to be done without everybody having been asked.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { DesiredState } from "../../src/model/desired-state.ts";
import { digestOf } from "../../src/model/digest.ts";
import { type Instant, instant, nodeName, vmName } from "../../src/model/names.ts";
import type { NodeReport, VmReport } from "../../src/model/observed-state.ts";
import type { NewsLine } from "../../src/turn/held/agent-news.ts";
import { HeldFleet } from "../../src/turn/held/held-fleet.ts";
import { type PlannedFleet, planFor } from "../../src/turn/plan-fleet.ts";
import type { Fleet } from "../../src/turn/read-fleet.ts";
import { REPORT_AT_HEADER } from "../../src/wire/kept-reports.ts";
import { aFleet, aSpec } from "../support/a-fleet.ts";
import "../support/own-cache.ts";

vi.setConfig({ testTimeout: 240_000 });

const NODES = ["n1", "n2", "n3"] as const;
const VMS = ["a", "b", "c", "d", "e"] as const;
const NEVER = new AbortController().signal;
const NOON = Date.parse("2026-01-01T12:00:00.000Z");

type Answer = { readonly kind: "report"; readonly report: NodeReport } | { readonly kind: "refuses" };

/** What stands in for each node's agent: it says what the test has it say, and that there is nothing new as agents do. */
const answers = new Map<string, Answer>();
const asked = new Map<string, number>();
const servers: Server[] = [];
const addresses = new Map<string, string>();

beforeAll(async () => {
  for (const node of NODES) {
    const server = createServer((request, response) => {
      asked.set(node, (asked.get(node) ?? 0) + 1);
      const answer = answers.get(node);
      if (answer?.kind !== "report") return void response.writeHead(503).end("not now");
      const { at, ...content } = answer.report;
      const tag = `W/"${digestOf(content)}"`;
      const headers = { etag: tag, [REPORT_AT_HEADER]: at, "content-type": "application/json" };
      if (request.headers["if-none-match"] === tag) response.writeHead(304, headers).end();
      else response.writeHead(200, headers).end(JSON.stringify(answer.report));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    servers.push(server);
    addresses.set(node, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
});
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

interface Drawn {
  readonly what:
    | "drift"
    | "crash"
    | "gone"
    | "appears"
    | "silent"
    | "back"
    | "revision"
    | "unchanged revision"
    | "removed"
    | "cordoned"
    | "nothing"
    | "everybody is asked"
    | "cut";
  readonly node: number;
  readonly vm: number;
  readonly value: number;
  /** Whether the node's line tells of it. */
  readonly isTold: boolean;
  /** Before the next plan. */
  readonly passesMs: number;
}

const anyHappening: fc.Arbitrary<Drawn> = fc.record({
  what: fc.constantFrom<Drawn["what"][]>(
    "drift",
    "crash",
    "gone",
    "appears",
    "silent",
    "back",
    "revision",
    "unchanged revision",
    "removed",
    "cordoned",
    "nothing",
    "everybody is asked",
    "cut",
  ),
  node: fc.nat(NODES.length - 1),
  vm: fc.nat(VMS.length - 1),
  value: fc.integer({ min: 1, max: 3 }),
  isTold: fc.boolean(),
  passesMs: fc.constantFrom(0, 2_500, 5_000, 30_000),
});

class World {
  monotonic = 0;
  at = NOON;
  desired: DesiredState;
  readonly #lines = new Map<string, NewsLine>();
  /** Something has changed of which no line told, and not everybody was asked since. */
  isUntold = false;

  constructor(held: (world: World) => HeldFleet) {
    const builder = aFleet();
    for (const name of NODES) builder.node(name, { address: addresses.get(name)! });
    for (const [index, name] of VMS.entries()) builder.vm(name, { ...specOf(1), on: NODES[index % NODES.length]! });
    this.desired = builder.desired();
    for (const node of builder.asDesired().observed().nodes)
      if (node.reach === "answered") answers.set(node.name, { kind: "report", report: node.report });
    const { news } = held(this);
    for (const node of NODES) {
      const line = news.open(nodeName(node));
      line.up();
      this.#lines.set(node, line);
    }
  }

  /** As manifests would be that say this. */
  fleet(): Fleet {
    const { desired } = this;
    const text = { source: "any", commit: null, warnings: [], warningsText: "", texts: [] };
    return { desired, specs: new Map(), ...text };
  }

  #report(node: string, change: (report: NodeReport) => NodeReport): void {
    const answer = answers.get(node);
    if (answer?.kind === "report") answers.set(node, { kind: "report", report: change(answer.report) });
  }

  #vm(node: string, vm: string, change: (vm: VmReport) => VmReport): void {
    this.#report(node, (report) => ({
      ...report,
      vms: report.vms.map((each) => (each.name === vm ? change({ ...each, serial: each.serial + 1 }) : each)),
    }));
  }

  #revise(vm: string, change: (desired: DesiredState["vms"][number]) => DesiredState["vms"][number] | null): void {
    const vms = this.desired.vms.flatMap((each) => (each.name === vm ? (change(each) ?? []) : each));
    const digest = digestOf(vms.map(({ name, spec, placement }) => [name, spec, placement]));
    this.desired = { ...this.desired, vms, digest };
  }

  happen({ what, node: at, vm: which, value, isTold, passesMs }: Drawn, held: HeldFleet): void {
    const node = NODES[at]!;
    const vm = VMS[which]!;
    const line = this.#lines.get(node)!;
    switch (what) {
      case "drift":
        this.#vm(node, vm, (each) => ({
          ...each,
          live: each.live && { ...each.live, cpus: { count: value, max: 4 } },
        }));
        break;
      case "crash":
        this.#vm(node, vm, (each) => ({ ...each, phase: "crashed", endedBy: "failure", live: null, pid: null }));
        break;
      case "gone":
        this.#report(node, (report) => ({ ...report, vms: report.vms.filter(({ name }) => name !== vm) }));
        break;
      case "appears": {
        const found = aFleet()
          .node(node)
          .vm(vm, { ...specOf(value), on: node })
          .asDesired()
          .observed().nodes[0];
        const seen = found?.reach === "answered" ? found.report.vms : [];
        this.#report(node, (report) => ({
          ...report,
          vms: [...report.vms.filter(({ name }) => name !== vm), ...seen].sort((a, b) => (a.name < b.name ? -1 : 1)),
        }));
        break;
      }
      case "silent":
        hidden.set(node, answers.get(node)!);
        answers.set(node, { kind: "refuses" });
        break;
      case "back":
        if (answers.get(node)?.kind === "refuses") answers.set(node, hidden.get(node)!);
        break;
      case "revision":
        this.#revise(vm, (each) => ({ ...each, spec: aSpec(specOf(value)) }));
        break;
      case "unchanged revision":
        this.desired = { ...this.desired, vms: this.desired.vms.map((each) => ({ ...each })) };
        break;
      case "removed":
        this.#revise(vm, () => null);
        break;
      case "cordoned":
        this.desired = {
          ...this.desired,
          nodes: this.desired.nodes.map((each) => (each.name === node ? { ...each, cordoned: value === 1 } : each)),
        };
        break;
      case "cut":
        line.down();
        if (isTold) line.up();
        break;
      case "everybody is asked":
        held.news.doubtAll();
        this.isUntold = false;
        break;
      case "nothing":
        break;
    }
    const isOfNode = ["drift", "crash", "gone", "appears", "silent", "back"].includes(what);
    if (isOfNode && isTold) line.told();
    if (isOfNode && !isTold) this.isUntold = true;
    this.monotonic += passesMs;
    this.at += passesMs;
  }
}

/** What refusing agents said before. */
const hidden = new Map<string, Answer>();

const specOf = (cpus: number) => ({ cpus: { count: cpus, max: 4 } });

const REQUEST = { selection: null, allowances: { maxClass: "destroy", allowDestroy: 100 } } as const;

async function textOf(planning: Promise<PlannedFleet>): Promise<{ text: string; steps: number; silent: number }> {
  await using planned = await planning;
  const { plan } = planned;
  return { text: JSON.stringify(plan), steps: plan.steps.length, silent: plan.unknown.length };
}

test("held or from scratch, it is the same plan", async () => {
  let holds = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyHappening, { minLength: 1, maxLength: 10 }), async (happenings) => {
      let held!: HeldFleet;
      let clockOf!: World;
      const clock = {
        now: (): Instant => instant(new Date(clockOf.at).toISOString()),
        monotonicMs: () => clockOf.monotonic,
      };
      const world = new World((made) => {
        clockOf = made;
        held = new HeldFleet({}, clock);
        return held;
      });
      await using _ = held;
      for (const happening of happenings) {
        world.happen(happening, held);
        asked.clear();
        const ours = await textOf(held.plan(world.fleet(), REQUEST, NEVER));
        const questions = [...asked.values()].reduce((sum, each) => sum + each, 0);
        if (questions < NODES.length) holds++;
        const location = { kind: "folder", path: "any" } as const;
        const scratch = await textOf(planFor(world.fleet(), { ...REQUEST, location, access: {}, clock }, NEVER));
        if (ours.steps > 0) world.isUntold = false;
        if (world.isUntold) expect(ours.steps).toBe(0);
        else expect(ours.text).toBe(scratch.text);
      }
    }),
    { numRuns: 25 },
  );
  // Else nothing of this was about what is held.
  expect(holds).toBeGreaterThan(0);
});

test("while lines are up and nothing is told, nobody is asked; a line that is down, quiet or cut is", async () => {
  let [now, at] = [0, NOON];
  const held = new HeldFleet({}, { now: () => instant(new Date(at).toISOString()), monotonicMs: () => now });
  await using _ = held;
  const world = new World(() => held);
  const lines = NODES.map((node) => {
    const line = held.news.open(nodeName(node));
    line.up();
    return line;
  });
  const plan = async () => {
    asked.clear();
    const { text } = await textOf(held.plan(world.fleet(), REQUEST, NEVER));
    expect(JSON.parse(text)).toMatchObject({ steps: [], unknown: [] });
    return [...asked.keys()].sort();
  };
  expect(await plan()).toEqual(["n1", "n2", "n3"]);
  expect(await plan()).toEqual([]);
  lines[1]?.told();
  expect(await plan()).toEqual(["n2"]);
  // The event may have come before the report had it.
  now += 3_000;
  expect(await plan()).toEqual(["n2"]);
  expect(await plan()).toEqual([]);
  lines[0]?.down();
  expect(await plan()).toEqual(["n1"]);
  lines[0]?.up();
  expect(await plan()).toEqual(["n1"]);
  expect(await plan()).toEqual([]);
  now += 21_000;
  at += 21_000;
  lines[2]?.heard();
  expect(await plan()).toEqual(["n1", "n2"]);
  for (const line of lines) line.heard();
  held.news.doubtAll();
  expect(await plan()).toEqual(["n1", "n2", "n3"]);
  expect(await plan()).toEqual([]);
  lines[0]?.close();
  expect(await plan()).toEqual(["n1"]);
});

test("before something is planned to be done, everybody is asked, and who is silent by then is unknown", async () => {
  const held = new HeldFleet({}, { now: () => instant(new Date(NOON).toISOString()), monotonicMs: () => 0 });
  await using _ = held;
  const world = new World(() => held);
  await textOf(held.plan(world.fleet(), REQUEST, NEVER));
  // It hangs without its line saying so, and the manifests want a VM that it may have.
  answers.set("n2", { kind: "refuses" });
  const builder = aFleet().vm("new", specOf(1));
  world.desired = { ...world.desired, vms: [...world.desired.vms, ...builder.desired().vms] };
  await using planned = await held.plan(world.fleet(), REQUEST, NEVER);
  expect(planned.plan.steps).toEqual([]);
  expect(planned.plan.unknown.map(({ name }) => name)).toEqual(expect.arrayContaining(["n2", vmName("new")]));
});
