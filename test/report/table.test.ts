/** Tables on terminals of any width. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { VmStatus } from "../../src/report/status-document.ts";
import { renderNodes, renderVms } from "../../src/report/status-text.ts";
import { type Column, renderTable } from "../../src/report/words/table.ts";

interface Row {
  readonly name: string;
  readonly state: string;
  readonly count: number;
  readonly note: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "NAME", kind: "name", show: (row) => row.name },
  { title: "STATE", kind: "state", show: (row) => row.state },
  { title: "COUNT", kind: "number", show: (row) => String(row.count) },
  { title: "NOTE", show: (row) => row.note },
];

const render = (rows: readonly Row[], width: number | null) =>
  renderTable(COLUMNS, rows, { colour: false, width }).split("\n");

const ROWS: readonly Row[] = [
  {
    name: "web-1",
    state: "running",
    count: 7,
    note: "drift: memory.size, nics.eth0, nics.eth1; no longer in the manifests; and on",
  },
  { name: "db-production-frankfurt-1", state: "crashed, to start again", count: 123456, note: "short" },
];

test("at 80 columns the widest is shortened, names and numbers are not", () => {
  expect(render(ROWS, 80)).toEqual([
    "NAME                       STATE                     COUNT  NOTE",
    "web-1                      running                       7  drift: memory.size,…",
    "db-production-frankfurt-1  crashed, to start again  123456  short",
  ]);
});

test("all is shown where there is room, and where there is no terminal", () => {
  for (const width of [null, 200]) expect(render(ROWS, width).join("\n")).toContain("in the manifests; and on");
});

test("names that begin alike stay apart when they must be shortened", () => {
  const long = (end: string) => `a-very-long-name-of-a-machine-in-a-rack-of-a-room-far-away-${end}`;
  const rows = ["1", "2"].map((end) => ({ name: long(end), state: "running, given up", count: 1, note: "" }));
  const [, one, two] = render(rows, 50);
  for (const line of [one, two]) expect(line?.length).toBeLessThanOrEqual(50);
  expect(one?.split(" ")[0]).not.toBe(two?.split(" ")[0]);
});

const aRow: fc.Arbitrary<Row> = fc.record({
  name: fc.stringMatching(/^[a-c][a-c-]{0,30}$/),
  state: fc.string({ maxLength: 60 }),
  count: fc.nat(),
  note: fc.string({ unit: "grapheme", maxLength: 200 }),
});

test("property: no line is wider than the terminal, numbers are whole, names differ as they did, and a wide terminal shows all", () => {
  fc.assert(
    fc.property(fc.array(aRow, { minLength: 1, maxLength: 8 }), fc.integer({ min: 64, max: 200 }), (rows, width) => {
      const lines = render(rows, width);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
      for (const [index, { count }] of rows.entries()) expect(lines[index + 1]).toContain(` ${count}`);
      const shown = lines.slice(1).map((line) => line.split(" ")[0]);
      expect(new Set(shown).size).toBe(new Set(rows.map(({ name }) => name)).size);
      expect(render(rows, 100_000)).toEqual(render(rows, null));
    }),
  );
});

test("the tables of VMs and nodes fit 80 columns", () => {
  const vm = {
    ...{ name: "web-frontend-1", node: "metal-frankfurt-1", phase: "running", ready: true, generation: 12 },
    ...{
      commit: "0123456789abcdef",
      reason: "disk data: nbd://storage.example.net:10809/data: connection refused by it",
    },
    ...{ drift: [], belongs: "left", restart: null },
  } as unknown as VmStatus;
  const node = {
    ...{ name: "metal-frankfurt-1", reach: "answered", cordoned: true, fenced: false, vms: 120, error: null },
    ...{ capacity: { cpus: 128, memoryMiB: 1_000_000 }, used: { cpus: 96, memoryMiB: 900_000 } },
    ...{
      hypervisors: [
        { kind: "cloud-hypervisor", version: "53.0.0" },
        { kind: "qemu", version: "7.2.22" },
      ],
    },
    address: "https://metal-frankfurt-1.example.net:8890",
  } as unknown as Parameters<typeof renderNodes>[0][number];
  const options = { colour: false, width: 80 };
  const lines = [...renderVms([vm], options).split("\n"), ...renderNodes([node], options).split("\n")];
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  expect(lines.join("\n")).toMatch(/web-frontend-1 +metal-frankfurt-1[\s\S]*metal-frankfurt-1 +up, cordon/);
});
