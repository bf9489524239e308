import { expect, test } from "vitest";
import type { DesiredNode } from "../../src/model/desired-state.ts";
import { OdoroboError } from "../../src/model/errors.ts";
import { instant, nodeName } from "../../src/model/names.ts";
import type { NodeReport, ObservedState } from "../../src/model/observed-state.ts";
import { type ObserveProgress, observe } from "../../src/observe/observe.ts";
import type { AgentApi } from "../../src/wire/agent-api.ts";
import { connectAgent } from "../../src/wire/client.ts";
import { badAgents } from "../support/bad-agents.ts";
import { FakeLifecycle } from "../support/fake-lifecycle.ts";
import { socketAgent } from "../support/http-agent.ts";
import { aNodeReport } from "../support/wire-builders.ts";

const clock = { now: () => instant("2026-01-01T12:00:00.000Z"), monotonicMs: () => 0 };
const signal = new AbortController().signal;

const aNode = (name: string, address = `http://${name}:8890`): DesiredNode => ({
  name: nodeName(name),
  address,
  labels: {},
  reserved: { cpus: 0, memoryMiB: 0 },
  overcommit: { cpus: 1, memory: 1 },
  cordoned: false,
  fenced: false,
  maintenance: null,
  source: null,
});

const anApi = (report: AgentApi["report"]): AgentApi => ({
  report,
  putVm: () => Promise.reject(new Error("observing changes nothing")),
  operate: () => Promise.reject(new Error("observing changes nothing")),
  close: async () => {},
});

const answers = (report: NodeReport) => anApi(async () => report);
/** Heeds nothing, not even its signal. */
const hangs = () => anApi(() => new Promise(() => {}));

const sentences = (seen: ObservedState) =>
  seen.nodes.map((node) =>
    node.reach === "answered" ? `${node.name} answered` : `${node.name} ${node.code}: ${node.error}`,
  );

test("who answers is seen, who does not is silent with the reason, and all stand by name", async () => {
  const agents: Record<string, AgentApi> = {
    n3: answers(aNodeReport("n3")),
    n1: answers(aNodeReport("n1")),
    n2: anApi(() => Promise.reject(new OdoroboError("AGENT_UNREACHABLE", "cannot reach http://n2:8890"))),
    n4: hangs(),
    n5: anApi(() => Promise.reject(new TypeError("our own mistake"))),
  };
  const seen = await observe(
    Object.keys(agents).map((name) => aNode(name)),
    (node) => agents[node.name]!,
    { clock, signal, deadlineMs: 50 },
  );
  expect(seen.at).toBe("2026-01-01T12:00:00.000Z");
  expect(sentences(seen)).toEqual([
    "n1 answered",
    "n2 AGENT_UNREACHABLE: cannot reach http://n2:8890",
    "n3 answered",
    "n4 AGENT_TIMEOUT: no answer within 0.05 s",
    "n5 INTERNAL: our own mistake",
  ]);
});

test("an address that is none makes its own node silent only", async () => {
  const connect = (node: DesiredNode) =>
    node.name === "n1" ? connectAgent({ address: "nonsense" }) : answers(aNodeReport(node.name));
  const seen = await observe([aNode("n1"), aNode("n2")], connect, { clock, signal });
  expect(sentences(seen)).toEqual([
    expect.stringMatching(/^n1 USAGE: "nonsense" is not an agent's address/),
    "n2 answered",
  ]);
});

test("an agent that says it is another node is not believed", async () => {
  const seen = await observe([aNode("n1", "http://a:1"), aNode("n7")], () => answers(aNodeReport("n7")), {
    clock,
    signal,
  });
  expect(sentences(seen)).toEqual(["n1 AGENT_WRONG_NODE: http://a:1 answered as n7, not n1", "n7 answered"]);
});

test("two nodes with one agent are both silent, the others are not", async () => {
  const copied = (name: string) => {
    const report = aNodeReport(name);
    return name === "n3" ? report : { ...report, node: { ...report.node, id: "one" } };
  };
  const seen = await observe(
    ["n2", "n1", "n3"].map((name) => aNode(name)),
    (node) => answers(copied(node.name)),
    { clock, signal },
  );
  expect(sentences(seen)).toEqual([
    "n1 AGENT_WRONG_NODE: n1 and n2 are one and the same agent, or one data folder was copied",
    "n2 AGENT_WRONG_NODE: n1 and n2 are one and the same agent, or one data folder was copied",
    "n3 answered",
  ]);
});

test("no nodes is an answer too", async () => {
  expect((await observe([], hangs, { clock, signal })).nodes).toEqual([]);
});

test("silent nodes delay nobody beyond one deadline, also when there are more of them than places", async () => {
  const nodes = Array.from({ length: 310 }, (_, index) => aNode(`n${String(index).padStart(3, "0")}`));
  const connect = (node: DesiredNode) => (node.name >= "n300" ? answers(aNodeReport(node.name)) : hangs());
  const begun = performance.now();
  const progress: ObserveProgress[] = [];
  const seen = await observe(nodes, connect, {
    clock,
    signal,
    deadlineMs: 1_000,
    parallelism: 10,
    onProgress: (each) => progress.push(each),
  });
  // Thirty rounds of silent ones one after the other would take 30 s.
  expect(performance.now() - begun).toBeLessThan(15_000);
  expect(seen.nodes.filter((node) => node.reach === "answered")).toHaveLength(10);
  expect(progress).toHaveLength(310);
  expect(progress.at(-1)).toEqual({ nodes: 310, answered: 10, silent: 300 });
});

test("no more are asked at the same moment than allowed", async () => {
  let asking = 0;
  let most = 0;
  const connect = (node: DesiredNode) =>
    anApi(async () => {
      asking++;
      most = Math.max(most, asking);
      await new Promise((resolve) => setImmediate(resolve));
      asking--;
      return aNodeReport(node.name);
    });
  const nodes = Array.from({ length: 50 }, (_, index) => aNode(`n${index}`));
  await observe(nodes, connect, { clock, signal, parallelism: 5 });
  expect(most).toBe(5);
});

test("who interrupts gets his reason at once", async () => {
  const interrupt = new AbortController();
  const seen = observe([aNode("n1")], hangs, { clock, signal: interrupt.signal, deadlineMs: 60_000 });
  interrupt.abort(new Error("ctrl-c"));
  await expect(seen).rejects.toThrow("ctrl-c");
});

test("a fleet on a bad day, over real sockets: the good one is seen, each bad one says what is wrong with it", async () => {
  await using good = await socketAgent({ lifecycle: new FakeLifecycle("n0") });
  await using refuses = await badAgents.refuses();
  await using hanging = await badAgents.hangs();
  await using html = await badAgents.answersHtml();
  await using half = await badAgents.answersHalf();
  await using shape = await badAgents.answersWrongShape();
  await using redirects = await badAgents.redirects();
  await using dies = await badAgents.dies();
  await using huge = await badAgents.answersWithoutEnd();
  await using other = await socketAgent({ lifecycle: new FakeLifecycle("n99") });
  const urls = [good, refuses, hanging, html, half, shape, redirects, dies, huge, other].map((agent) => agent.url);
  const nodes = urls.map((url, index) => aNode(`n${index}`, url));
  const clients = new Map(nodes.map((node) => [node.name, connectAgent({ address: node.address })]));
  const seen = await observe(nodes, (node) => clients.get(node.name)!, { clock, signal, deadlineMs: 3_000 });
  expect(seen.nodes.map((node) => (node.reach === "answered" ? "answered" : node.code))).toEqual([
    "answered",
    "AGENT_UNREACHABLE",
    "AGENT_TIMEOUT",
    "AGENT_PROTOCOL",
    "AGENT_PROTOCOL",
    "AGENT_PROTOCOL",
    "AGENT_PROTOCOL",
    "AGENT_UNREACHABLE",
    "AGENT_PROTOCOL",
    "AGENT_WRONG_NODE",
  ]);
  for (const client of clients.values()) await client.close();
});
