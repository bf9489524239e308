/** The section of a manifest laid over a configuration: what is merged, what is added, what goes. */
import { expect, test } from "vitest";
import { withoutGivenIds } from "../../../src/model/cloud-hypervisor/device-ids.ts";
import { fragmentBetween, mergeFragment } from "../../../src/model/cloud-hypervisor/merge-fragment.ts";
import { identityOf } from "../../../src/model/item-identity.ts";

test("groups are merged key by key, null takes away, everything else is exchanged", () => {
  expect(mergeFragment({ cpus: { boot: 1, max: 2 }, rng: 1, on: true }, { cpus: { max: 4 }, rng: null })).toEqual({
    cpus: { boot: 1, max: 4 },
    on: true,
  });
  expect(mergeFragment({ rng: 1, list: [1] }, { rng: { src: "/dev/random", none: null }, list: "x" })).toEqual({
    rng: { src: "/dev/random" },
    list: "x",
  });
  expect(Object.getPrototypeOf(mergeFragment({}, JSON.parse('{ "__proto__": { "polluted": true } }')))).toBe(
    Object.prototype,
  );
});

test("items of a list are known by their identity; those without one are added, as are those nobody knew", () => {
  const disks = [{ id: "root", path: "/a" }, { path: "/b" }];
  expect(mergeFragment({ disks }, { disks: [{ id: "root", readonly: true }] })).toEqual({
    disks: [{ id: "root", path: "/a", readonly: true }, { path: "/b" }],
  });
  expect(mergeFragment({ disks }, { disks: [{ path: "/b", direct: true }, { id: "new" }, { direct: true }] })).toEqual({
    disks: [...disks.slice(0, 1), { path: "/b", direct: true }, { id: "new" }, { direct: true }],
  });
  expect(mergeFragment({ list: ["a", null] }, { list: ["b", null, 5] })).toEqual({ list: ["a", null, "b", null, 5] });
  // Also two of the section's own are one.
  expect(
    mergeFragment(
      {},
      {
        fs: [
          { tag: "a", socket: "/s" },
          { tag: "a", num_queues: 2 },
        ],
      },
    ),
  ).toEqual({
    fs: [{ tag: "a", socket: "/s", num_queues: 2 }],
  });
});

test("of several with one identity the first is meant", () => {
  const twice = [
    { id: "a", path: "/1" },
    { id: "a", path: "/2" },
  ];
  expect(mergeFragment({ disks: twice }, { disks: [{ id: "a", direct: true }] })).toEqual({
    disks: [{ id: "a", path: "/1", direct: true }, twice[1]],
  });
});

test("what lies between two is as little as makes the one the other", () => {
  const base = {
    disks: [{ id: "a", path: "/1" }, { path: "/x" }],
    rng: { src: "/r", iommu: false },
    gone: 1,
    same: [1],
  };
  const target = {
    disks: [{ id: "a", path: "/2" }, { path: "/x" }, { id: "b" }],
    rng: { src: "/r", iommu: true },
    same: [1],
  };
  const between = fragmentBetween(base, target);
  expect(between).toEqual({
    disks: [{ id: "a", path: "/2" }, { id: "b" }],
    rng: { iommu: true },
    gone: null,
  });
  expect(mergeFragment(base, between)).toEqual(target);
  expect(fragmentBetween(base, base)).toEqual({});
  // Nothing takes an item out of a list.
  expect(fragmentBetween({ disks: [{ id: "a" }, { id: "b" }] }, { disks: [{ id: "a" }] })).toEqual({});
});

test("an identity is the first of the words that tell things from others, be it a text or a number", () => {
  expect([{ path: "/p", id: "a" }, { tag: "t", socket: "/s" }, { guest_numa_id: 0 }].map(identityOf)).toEqual([
    "a",
    "t",
    "0",
  ]);
  expect(
    [{}, { size: 5 }, { id: null, size: 1 }, { id: ["a"] }, [], ["id"], null, undefined, 5, "id"].map(identityOf),
  ).toEqual(Array(10).fill(null));
  expect(identityOf({ id: null, path: "/p" })).toBe("/p");
});

test("ids that devices have only because they were given none are nobody's word", () => {
  expect(withoutGivenIds("fs", [{ id: "fs.share", tag: "share" }, { id: "mine", tag: "share" }, { tag: "x" }])).toEqual(
    [{ tag: "share" }, { id: "mine", tag: "share" }, { tag: "x" }],
  );
  expect(withoutGivenIds("fs", [null, "text", 5])).toEqual([null, "text", 5]);
  expect(withoutGivenIds("numa", [{ id: "numa.0" }])).toEqual([{ id: "numa.0" }]);
});
