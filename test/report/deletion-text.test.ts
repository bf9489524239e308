import { expect, test } from "vitest";
import { instant, nodeName, vmName } from "../../src/model/names.ts";
import { askDeletion, askPurge, renderDeletedVms, renderPurge } from "../../src/report/deletion-text.ts";
import { aVmReport, aWireSpec } from "../support/wire-builders.ts";

const plain = { colour: false };
const kept = {
  node: nodeName("n1"),
  tombstone: {
    name: vmName("web-1"),
    fleet: "shop",
    generation: 3,
    serial: 9,
    deletedAt: instant("2026-01-01T12:00:00.000Z"),
    retainUntil: instant("2026-01-08T12:00:00.000Z"),
    disks: ["data", "root"],
  },
};

test("who is to confirm a deletion reads what runs, whose it is, and what stays", () => {
  const root = { name: "root", origin: { kind: "blank", sizeMiB: 64 }, readonly: false } as const;
  const far = { name: "far", origin: { kind: "external", url: "nbd://store/web-1" }, readonly: false } as const;
  const spec = aWireSpec({ disks: [root, far], retainDisksSeconds: 604_800 });
  const vm = { ...aVmReport("web-1"), phase: "running", fleet: "shop", spec } as const;
  expect(askDeletion(vm, "n1")).toBe(
    'This deletes web-1 on n1 (running, of fleet shop). Its disks (root) are kept for 7 d. Only "yes" is accepted:',
  );
  expect(askDeletion({ ...vm, fleet: null, phase: "stopped", spec: aWireSpec({ disks: [far] }) }, "n1")).toBe(
    'This deletes web-1 on n1 (stopped, made by hand). It has no disks of its own. Only "yes" is accepted:',
  );
});

test("who is to confirm a purge reads what is lost, and has to type the name", () => {
  expect(askPurge("web-1", { deleted: kept, left: [] })).toBe(
    "This removes for good what is kept of web-1 on n1 (disks: data, root; deleted at 2026-01-01T12:00:00.000Z). Type the VM's name to go on:",
  );
  expect(renderPurge("web-1", { deleted: kept, left: [] }, plain)).toBe(
    "web-1 on n1: purged (gone for good: data, root)",
  );
  expect(
    renderPurge("web-1", { deleted: { ...kept, tombstone: { ...kept.tombstone, disks: [] } }, left: [] }, plain),
  ).toBe("web-1 on n1: purged (it had no disks)");
});

test("deleted VMs in a table: where, whose, until when", () => {
  expect(renderDeletedVms([{ ...kept.tombstone, node: kept.node }], plain)).toMatchInlineSnapshot(`
    "VM     NODE  FLEET  DELETED AT                KEPT UNTIL                DISKS
    web-1  n1    shop   2026-01-01T12:00:00.000Z  2026-01-08T12:00:00.000Z  data, root"
  `);
  expect(renderDeletedVms([], plain)).toBe("No deleted VMs: nothing is kept.");
});
