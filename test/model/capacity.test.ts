/** How much a node may be filled with. */
import { expect, test } from "vitest";
import { roomOf } from "../../src/model/capacity.ts";
import type { DesiredNode } from "../../src/model/desired-state.ts";

const room = (reserved: object, overcommit: object, capacity = { cpus: 10, memoryMiB: 10_000 }) =>
  roomOf(
    capacity as Parameters<typeof roomOf>[0],
    {
      reserved: { cpus: 0, memoryMiB: 0, ...reserved },
      overcommit: { cpus: 1, memory: 1, ...overcommit },
    } as DesiredNode,
  );

test("what is left beside the host's own, as many times as the node is overcommitted, in whole CPUs and MiB", () => {
  expect(room({}, {})).toEqual({ cpus: 10, memoryMiB: 10_000 });
  expect(room({ cpus: 2, memoryMiB: 512 }, { cpus: 4, memory: 1.5 })).toEqual({ cpus: 32, memoryMiB: 14_232 });
  expect(room({ cpus: 0.5, memoryMiB: 1 }, { cpus: 1.5, memory: 0.5 })).toEqual({ cpus: 14, memoryMiB: 4999 });
});

test("a node that has less than is kept for the host has no room, and not less than none", () => {
  expect(room({ cpus: 12, memoryMiB: 20_000 }, { cpus: 4, memory: 2 })).toEqual({ cpus: 0, memoryMiB: 0 });
});
