/** A report of which one VM's part is rotten: that VM is unreadable, or nameless, and every other is as it was. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { instant, vmName } from "../../src/model/names.ts";
import type { NodeReport } from "../../src/model/observed-state.ts";
import { findAnswerError } from "../../src/wire/check-shape.ts";
import { readNodeReport } from "../../src/wire/read-report.ts";
import { anyCorruption } from "../support/corrupt.ts";
import { aNodeReport, aVmReport } from "../support/wire-builders.ts";

const at = instant("2026-01-01T12:00:00.000Z");
const tombstone = (name: string) => ({
  ...{ name: vmName(name), fleet: "shop", generation: 1, serial: 2, deletedAt: at, retainUntil: at, disks: ["root"] },
});
const report = aNodeReport("n1", {
  vms: ["a-1", "m-1", "z-1"].map((name) => aVmReport(name)),
  tombstones: [tombstone("t-1"), tombstone("t-2")],
  unfinished: [
    { id: "u-1", vm: vmName("a-1"), kind: "boot", begunAt: at },
    { id: "u-2", vm: vmName("m-1"), kind: "boot", begunAt: at },
  ],
  unreadable: [{ name: vmName("x-1"), problem: "its record is cut short" }],
});
const read = (value: unknown) => readNodeReport(structuredClone(value));

test("one that is right is read as it is", () => {
  expect(read(report)).toEqual(report);
});

test("property: one rotten place in one VM costs that VM alone", () => {
  fc.assert(
    fc.property(fc.nat(2), anyCorruption, (which, corrupt) => {
      const vms = report.vms.map((vm, index) => (index === which ? corrupt(vm) : vm));
      const seen = read({ ...report, vms }) as NodeReport;
      expect(typeof seen).toBe("object");
      expect(findAnswerError("node-report", seen)).toBeNull();
      const name = report.vms[which]!.name;
      const others = report.vms.filter((vm) => vm.name !== name);
      expect(seen.vms.filter((vm) => others.some((other) => other.name === vm.name))).toEqual(others);
      expect(seen.tombstones).toEqual(report.tombstones);
      const isThere = seen.vms.length === report.vms.length;
      const isUnreadable = seen.unreadable?.some((vm) => vm.name === name) === true;
      expect([isThere, isUnreadable, seen.illegible === 1].filter(Boolean)).toHaveLength(1);
    }),
    { numRuns: 500 },
  );
});

test("property: so does one in what is left of a deleted VM, or in what was begun", () => {
  fc.assert(
    fc.property(fc.constantFrom("tombstones" as const, "unfinished" as const), anyCorruption, (list, corrupt) => {
      const seen = read({ ...report, [list]: [corrupt(report[list][0]), report[list][1]] }) as NodeReport;
      expect(findAnswerError("node-report", seen)).toBeNull();
      expect(seen.vms.slice(-2)).toEqual(report.vms.slice(-2));
      expect(seen[list].at(-1)).toEqual(report[list][1]);
      // Nobody takes it for absent: it is as it was, unreadable or nameless.
      const isCounted = (seen.illegible ?? 0) + (seen.unreadable?.length ?? 0) + seen[list].length;
      expect(isCounted).toBe(3);
    }),
  );
});

test("a VM that is unreadable in one list is not told in another", () => {
  const seen = read({
    ...report,
    unfinished: [{ ...report.unfinished[0], begunAt: 5 }, report.unfinished[1]],
  }) as NodeReport;
  expect(seen.vms.map(({ name }) => name)).toEqual(["m-1", "z-1"]);
  expect(seen.unreadable).toMatchObject([
    { name: "a-1", problem: expect.stringContaining("does not make sense") },
    { name: "x-1" },
  ]);
});

test("what is wrong with the node's own part is the node's", () => {
  for (const [rotten, where] of [
    [{ ...report, capacity: { cpus: 8 } }, "capacity.memoryMiB"],
    [{ ...report, vms: {} }, "vms"],
    [{ ...report, vms: [{}], node: null }, "node"],
    [null, "the document"],
    ["text", "the document"],
  ] as const)
    expect(read(rotten)).toContain(where);
});
