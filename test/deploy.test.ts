/** What stands in `deploy/` speaks of metrics that there are, and Prometheus takes it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { AgentMetrics } from "../src/agent/metrics/agent-metrics.ts";
import { GatewayMetrics } from "../src/gateway/metrics/gateway-metrics.ts";
import { instant } from "../src/model/names.ts";
import { aClock } from "./support/a-clock.ts";
import { aStepReport, ToldLoop } from "./support/a-told-loop.ts";
import { labelsOf, namesOf } from "./support/metrics-text.ts";
import { promtool } from "./support/promtool.ts";
import { requires } from "./support/requirements.ts";
import { aNodeReport, aVmReport } from "./support/wire-builders.ts";

const DEPLOY = join(import.meta.dirname, "../deploy");
const read = (path: string): string => readFileSync(join(DEPLOY, path), "utf8");

interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly Target[];
}
interface Board {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

const board = JSON.parse(read("grafana/odorobo.json")) as Board;
const rules = (parse(read("prometheus/odorobo-alerts.yaml")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  ({ rules }) => rules,
);
const targets = board.panels.flatMap(({ targets = [] }) => targets);

/** All that agents and gateways can tell, each label with a value. */
async function everything(): Promise<string> {
  const clock = aClock();
  const agent = new AgentMetrics({ nodeName: "n1", version: "1", perVm: true });
  agent.operationEnded("boot", "HYPERVISOR_FAILED", 1);
  agent.requestAnswered("GET", 200, null);
  const gateway = new GatewayMetrics({ version: "1", clock });
  const loop = new ToldLoop(clock, gateway.watcher("shop")).push("r1").plan("r1").see("n1", "-n2");
  loop.apply({ event: "step-ended", at: instant(clock.now()), report: aStepReport() });
  gateway.hook("shop", "accepted");
  return (await agent.render(aNodeReport("n1", { vms: [aVmReport("a")] }))) + (await gateway.render());
}

/** Metrics and labels that a query speaks of. Not of grammar, but of all that may stand for either in these. */
function wordsOf(query: string): { readonly metrics: readonly string[]; readonly labels: readonly string[] } {
  const bare = query.replace(/"[^"]*"/g, '""').replace(/\[[^\]]*\]/g, "");
  const metrics = [...bare.matchAll(/\b(?:odorobo|nodejs|process)_\w+/g)].map(([name]) => name);
  const lists = [...bare.matchAll(/\b(?:by|on|without)\s*\(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(","));
  const matched = [...bare.matchAll(/[{,]\s*(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = ""]) => label);
  return { metrics, labels: [...lists.map((each) => each.trim()), ...matched].filter((each) => each !== "") };
}

test("every query of the board and of the alerts names metrics and labels that agents and gateways tell", async () => {
  const text = await everything();
  const names = namesOf(text);
  const labels = new Set([...labelsOf(text), "instance", "job", "le"]);
  const variables = board.templating.list.flatMap(({ definition }) =>
    definition === undefined ? [] : [definition.replace(/, \w+\)$/, ")")],
  );
  const queries = [...targets.map(({ expr }) => expr), ...rules.map(({ expr }) => expr), ...variables];
  const words = queries.map(wordsOf);
  expect(words.flatMap(({ metrics }) => metrics).filter((name) => !names.has(name))).toEqual([]);
  expect(words.flatMap(({ labels: used }) => used).filter((label) => !labels.has(label))).toEqual([]);
  expect(queries.filter((query) => wordsOf(query).metrics.length === 0)).toEqual([
    'up{job="odorobo-agent"} == 0',
    'up{job="odorobo-gateway"} == 0',
  ]);
  const legends = targets.flatMap(({ legendFormat }) =>
    [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label),
  );
  expect(legends.filter((label) => !labels.has(label as string))).toEqual([]);
  // It would be seen.
  expect(wordsOf('sum by (fleet) (rate(odorobo_nothing_total{who="x"}[5m]))')).toEqual({
    metrics: ["odorobo_nothing_total"],
    labels: ["fleet", "who"],
  });
});

test("the board has the shape that Grafana imports", () => {
  const ids = board.panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const taken = new Set<string>();
  for (const { title, type, gridPos, targets: asked = [], datasource } of board.panels) {
    const { x, y, w, h } = gridPos;
    expect([title, x + w <= 24]).toEqual([title, true]);
    for (let column = x; column < x + w; column++)
      for (let line = y; line < y + h; line++) {
        expect([title, taken.has(`${column},${line}`)]).toEqual([title, false]);
        taken.add(`${column},${line}`);
      }
    if (type === "row") continue;
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is Grafana that puts something there.
    expect([title, datasource?.uid]).toEqual([title, "${datasource}"]);
    expect([title, new Set(asked.map(({ refId }) => refId)).size]).toEqual([title, asked.length]);
    expect([title, asked.length > 0]).toEqual([title, true]);
  }
  const variables = new Set(board.templating.list.map(({ name }) => name));
  const used = targets.flatMap(({ expr }) => [...expr.matchAll(/\$(\w+)/g)].map(([, name]) => name as string));
  expect(used.filter((name) => !variables.has(name) && name !== "__rate_interval")).toEqual([]);
});

test("every alert says what is wrong and what to do, and has a test that hears it", () => {
  const tested = read("prometheus/odorobo-alerts.test.yaml");
  expect(rules.length).toBeGreaterThan(15);
  for (const { alert, labels, annotations } of rules) {
    expect([alert, ["info", "warning", "critical"].includes(labels.severity)]).toEqual([alert, true]);
    expect([alert, annotations.summary.length > 10, annotations.description.length > 20]).toEqual([alert, true, true]);
    expect([alert, tested.includes(`alertname="${alert}"`)]).toEqual([alert, true]);
  }
});

test("each file is told of in the README there", () => {
  const readme = read("README.md");
  const files = readdirSync(DEPLOY, { recursive: true, encoding: "utf8" }).filter((path) =>
    /\.(json|yaml)$/.test(path),
  );
  expect(files.filter((path) => !readme.includes(`\`${path}\``))).toEqual([]);
});

test.runIf(requires("alert rules and the scrape configuration, judged by promtool", "promtool"))(
  "promtool takes the rules, their tests pass, and the scrape configuration is one",
  () => {
    const cwd = join(DEPLOY, "prometheus");
    for (const args of [
      ["check", "rules", "odorobo-alerts.yaml"],
      ["test", "rules", "odorobo-alerts.test.yaml"],
      ["check", "config", "--syntax-only", "scrape.example.yaml"],
    ]) {
      const { isFine, said } = promtool(args, { cwd });
      expect([args, isFine, said]).toEqual([args, true, expect.stringContaining("SUCCESS")]);
    }
  },
);
