/** Where devices sit when a bus gets full. */
import { expect, test } from "vitest";
import { FIRST_SLOT, LAST_SLOT, Slots } from "../../../src/model/cloud-hypervisor/slots.ts";

const fill = (segments: readonly number[], kind: "nic" | "other", count: number) => {
  const slots = new Slots(new Map(), segments);
  return Array.from({ length: count }, (_, index) => slots.placeFor(`d${index}`, kind));
};

test("NICs have eight slots, then anybody's; nothing sits where the host bridge or single devices do", () => {
  const nics = fill([0], "nic", 23).map((place) => place?.slot ?? 0);
  expect(new Set(nics.slice(0, 8))).toEqual(new Set([8, 9, 10, 11, 12, 13, 14, 15]));
  expect(new Set(nics)).toEqual(new Set(Array.from({ length: LAST_SLOT - FIRST_SLOT }, (_, at) => FIRST_SLOT + at)));
  expect(fill([0], "nic", 24).at(-1)).toBeNull();
});

test("a second segment is used when the first is full, and alone where devices may not go to the first", () => {
  const all = fill([0, 1], "other", 23 + LAST_SLOT + 1);
  expect(all.slice(0, 23).every((place) => place?.segment === 0)).toBe(true);
  const second = all.slice(23, -1);
  expect(second.every((place) => place?.segment === 1)).toBe(true);
  expect(new Set(second.map((place) => place?.slot))).toEqual(
    new Set(Array.from({ length: LAST_SLOT }, (_, at) => at + 1)),
  );
  expect(all.at(-1)).toBeNull();
  expect(fill([1], "other", 1)[0]?.segment).toBe(1);
  expect(fill([], "other", 1)).toEqual([null]);
});

test("numbered names sit in the order of their numbers, and who sat somewhere stays there", () => {
  const slots = new Slots(new Map([["old", { segment: 0, slot: 20 }]]), [0]);
  const [first, second, third] = ["eth1", "eth2", "eth3"].map((id) => slots.placeFor(id, "nic")?.slot ?? 0);
  expect([second, third]).toEqual([first, second].map((slot = 0) => FIRST_SLOT + ((slot - FIRST_SLOT + 1) % 8)));
  expect(slots.placeFor("old", "other")).toEqual({ segment: 0, slot: 20 });
  const others = Array.from({ length: 15 }, (_, index) => slots.placeFor(`x${index}`, "other")?.slot);
  expect(others.filter((slot) => slot === 20)).toEqual([]);
});
