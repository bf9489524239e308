/** The three charts of one schedule: a swap with a guest parked, one stopped ahead, one resized, one new. */
import { expect, test } from "vitest";
import { renderGanttMermaid } from "../../src/report/plan/gantt-mermaid.ts";
import { renderGanttSvg } from "../../src/report/plan/gantt-svg.ts";
import { renderGanttText } from "../../src/report/plan/gantt-text.ts";
import { type Bar, rowsByNode, rowsByVm } from "../../src/schedule/gantt.ts";

const BARS: readonly Bar[] = [
  { vm: "web-1", from: "n1", to: "n3", startS: 0, endS: 20, kind: "park" },
  { vm: "old", from: "n4", to: "n4", startS: 0, endS: 5, kind: "stop" },
  { vm: "web-2", from: "n2", to: "n1", startS: 20, endS: 62, kind: "live" },
  { vm: "cache", from: "n2", to: "n2", startS: 62, endS: 62, kind: "resize" },
  { vm: "new-1", from: null, to: "n2", startS: 62, endS: 62, kind: "arrive" },
  { vm: "web-1", from: "n3", to: "n2", startS: 62, endS: 82.4, kind: "live" },
  { vm: "old", from: "n4", to: "n1", startS: 62, endS: 100, kind: "cold" },
];

test("in the terminal, 80 columns wide", () => {
  const lines = renderGanttText(BARS);
  expect(`\n${lines.join("\n")}\n`).toMatchInlineSnapshot(`
    "
                          0:00                                       1:40
      web-1 n1 → n3 → n2 |----------                   ==========        | 0:00-1:22
      old   n4 → n1      |xxx                          ##################| 0:00-1:40
      web-2 n2 → n1      |         =====================                 | 0:20-1:02
      cache n2           |                             +                 |      1:02
      new-1 new → n2     |                             *                 |      1:02
      = moves live   # moves, down meanwhile   - moves live, to a node on its way
      x is stopped ahead of its move   + is resized   * is created
    "
  `);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
});

test("a terminal of any width is kept to, whatever the names, and what is too much is counted", () => {
  const many = Array.from(
    { length: 50 },
    (_, index): Bar => ({
      vm: `a-very-long-name-of-a-machine-that-nobody-should-have-given-${index}`,
      from: `node-${index}-in-a-rack-far-away`,
      to: "node-in-the-next-room",
      startS: index * 100,
      endS: index * 100 + 4_000,
      kind: "live",
    }),
  );
  for (const width of [70, 80, 132]) {
    const lines = renderGanttText(many, { width, mostRows: 5 });
    expect(lines).toHaveLength(8);
    expect(lines.at(-2)).toBe("  … and 45 more VMs");
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(width);
  }
});

test("what takes no time at all is not drawn as a chart", () => {
  expect(renderGanttText([])).toEqual([]);
  expect(
    renderGanttText(BARS.filter(({ kind }) => kind === "resize").map((bar) => ({ ...bar, startS: 0, endS: 0 }))),
  ).toEqual([]);
});

test("as Mermaid", () => {
  expect(`\n${renderGanttMermaid(BARS).join("\n")}\n`).toMatchInlineSnapshot(`
    "
    gantt
      dateFormat x
      axisFormat %M:%S
      section n1
        web-1 to n3 (moves live, to a node on its way) :active, 0, 20000
      section n4
        old is stopped ahead of its move :crit, 0, 5000
        old to n1 :crit, 62000, 100000
      section n2
        web-2 to n1 :20000, 62000
        cache is resized :milestone, 62000, 62000
        new-1 is created :milestone, 62000, 62000
      section n3
        web-1 to n2 :62000, 82400
    "
  `);
  expect(renderGanttMermaid([])).toEqual([]);
  const hostile = renderGanttMermaid([{ ...BARS[0]!, vm: "a:b\n;click x" }]).join("\n");
  expect(hostile).toContain("    a b  click x to n3 (moves live, to a node on its way) :active, 0, 20000");
  const many = Array.from({ length: 150 }, () => BARS[0]!);
  expect(renderGanttMermaid(many)).toContain("  title the first 100 of 150");
});

test("as SVG", () => {
  const svg = renderGanttSvg(BARS);
  expect(svg).toMatchInlineSnapshot(`
    "<svg xmlns="http://www.w3.org/2000/svg" width="980" height="240" viewBox="0 0 980 240" font-family="sans-serif" font-size="12">
    <rect width="980" height="240" fill="#ffffff"/>
    <line x1="220" y1="22" x2="220" y2="128" stroke="#dddddd"/>
    <text x="220" y="18" text-anchor="middle" fill="#555555">0:00</text>
    <line x1="340" y1="22" x2="340" y2="128" stroke="#dddddd"/>
    <text x="340" y="18" text-anchor="middle" fill="#555555">0:17</text>
    <line x1="460" y1="22" x2="460" y2="128" stroke="#dddddd"/>
    <text x="460" y="18" text-anchor="middle" fill="#555555">0:33</text>
    <line x1="580" y1="22" x2="580" y2="128" stroke="#dddddd"/>
    <text x="580" y="18" text-anchor="middle" fill="#555555">0:50</text>
    <line x1="700" y1="22" x2="700" y2="128" stroke="#dddddd"/>
    <text x="700" y="18" text-anchor="middle" fill="#555555">1:07</text>
    <line x1="820" y1="22" x2="820" y2="128" stroke="#dddddd"/>
    <text x="820" y="18" text-anchor="middle" fill="#555555">1:23</text>
    <line x1="940" y1="22" x2="940" y2="128" stroke="#dddddd"/>
    <text x="940" y="18" text-anchor="middle" fill="#555555">1:40</text>
    <text x="212" y="42" text-anchor="end">web-1</text>
    <rect x="220" y="31" width="144" height="14" fill="#7f9fc4"><title>web-1 n1 → n3: moves live, to a node on its way, 0:00 to 0:20</title></rect>
    <rect x="666.4" y="31" width="146.9" height="14" fill="#2a6fb0"><title>web-1 n3 → n2: moves live, 1:02 to 1:22</title></rect>
    <text x="212" y="62" text-anchor="end">old</text>
    <rect x="220" y="51" width="36" height="14" fill="#7b241c"><title>old on n4: is stopped ahead of its move, 0:00 to 0:05</title></rect>
    <rect x="666.4" y="51" width="273.6" height="14" fill="#b03a2e"><title>old n4 → n1: moves, down meanwhile, 1:02 to 1:40</title></rect>
    <text x="212" y="82" text-anchor="end">web-2</text>
    <rect x="364" y="71" width="302.4" height="14" fill="#2a6fb0"><title>web-2 n2 → n1: moves live, 0:20 to 1:02</title></rect>
    <text x="212" y="102" text-anchor="end">cache</text>
    <rect x="666.4" y="91" width="2" height="14" fill="#2e8b57"><title>cache on n2: is resized, 1:02 to 1:02</title></rect>
    <text x="212" y="122" text-anchor="end">new-1</text>
    <rect x="666.4" y="111" width="2" height="14" fill="#1f7a4d"><title>new-1 on n2: is created, 1:02 to 1:02</title></rect>
    <rect x="220" y="140" width="10" height="10" fill="#2a6fb0"/>
    <text x="236" y="149" fill="#555555">moves live</text>
    <rect x="220" y="156" width="10" height="10" fill="#b03a2e"/>
    <text x="236" y="165" fill="#555555">moves, down meanwhile</text>
    <rect x="220" y="172" width="10" height="10" fill="#7f9fc4"/>
    <text x="236" y="181" fill="#555555">moves live, to a node on its way</text>
    <rect x="220" y="188" width="10" height="10" fill="#7b241c"/>
    <text x="236" y="197" fill="#555555">is stopped ahead of its move</text>
    <rect x="220" y="204" width="10" height="10" fill="#2e8b57"/>
    <text x="236" y="213" fill="#555555">is resized</text>
    <rect x="220" y="220" width="10" height="10" fill="#1f7a4d"/>
    <text x="236" y="229" fill="#555555">is created</text>
    </svg>
    "
  `);
  expect(renderGanttSvg([{ ...BARS[0]!, vm: `<script>&"'` }])).not.toContain("<script>");
});

test("rows by VM and by node", () => {
  const shape = (rows: ReturnType<typeof rowsByVm>) => rows.map(({ name, bars }) => `${name} ${bars.length}`);
  expect(shape(rowsByVm(BARS))).toEqual(["web-1 2", "old 2", "web-2 1", "cache 1", "new-1 1"]);
  expect(shape(rowsByNode(BARS))).toEqual(["n1 3", "n2 4", "n3 2", "n4 2"]);
});
