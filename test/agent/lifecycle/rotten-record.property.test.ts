/** One rotten place in one VM's record, or in what its guest says: that VM cannot be read, and every other is as before. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { findAnswerError } from "../../../src/wire/check-shape.ts";
import { anAgent, aSpec, NEVER, type TestAgent } from "../../support/an-agent.ts";
import { anyCorruption } from "../../support/corrupt.ts";

async function aNodeOfFour(): Promise<TestAgent> {
  const agent = await anAgent();
  for (const name of ["a-1", "rotten", "z-1", "z-2"]) {
    await agent.put(name, { spec: aSpec() });
    if (name !== "z-2") await agent.boot(name);
  }
  await agent.operate("z-1", { kind: "delete", graceSeconds: 0 });
  return agent;
}

/** What is told of all but one. */
async function othersOf(agent: TestAgent) {
  const { vms, tombstones, unfinished, unreadable = [] } = await agent.lifecycle.report(NEVER);
  const others = <Item extends object>(items: readonly Item[]) =>
    items.filter((each) => !JSON.stringify(each).includes("rotten"));
  return {
    vms: others(vms),
    tombstones: others(tombstones),
    unfinished: others(unfinished),
    unreadable: others(unreadable),
  };
}

async function expectWhole(agent: TestAgent, before: unknown): Promise<boolean> {
  const report = await agent.lifecycle.report(NEVER);
  expect(findAnswerError("node-report", report)).toBeNull();
  expect(await othersOf(agent)).toEqual(before);
  expect(agent.lifecycle.operation("nobody-asked-for-this")).toBeNull();
  const isSeen = report.vms.some(({ name }) => name === "rotten");
  const isUnreadable = report.unreadable?.some(({ name }) => name === "rotten") === true;
  const isBuried = report.tombstones.some(({ name }) => name === "rotten");
  expect([isSeen, isUnreadable, isBuried].filter(Boolean)).toHaveLength(1);
  return isUnreadable;
}

test("property: a bit that turned in a record is found, and costs that VM alone", async () => {
  await using agent = await aNodeOfFour();
  const before = await othersOf(agent);
  const file = join(agent.dataFolder, "vms/rotten/record.json");
  const text = await readFile(file, "latin1");
  const [checksum = ""] = /^\{"format":"sha256 [0-9a-f]{64}",(?="format":1,)/.exec(text) ?? [];
  expect(checksum).not.toBe("");
  await fc.assert(
    fc.asyncProperty(fc.nat(text.length - 1), fc.integer({ min: 1, max: 127 }), async (at, bits) => {
      const turned = String.fromCharCode(text.charCodeAt(at) ^ bits);
      const isChecksum = at < checksum.length;
      await agent.lifecycle[Symbol.asyncDispose]();
      await writeFile(file, text.slice(0, at) + turned + text.slice(at + 1), "latin1");
      await agent.restart();
      const isUnreadable = await expectWhole(agent, before);
      // Without one it is a record as earlier agents wrote them: all that it says is as it was.
      expect(isUnreadable || isChecksum).toBe(true);
      await agent.lifecycle[Symbol.asyncDispose]();
      await writeFile(file, text, "latin1");
    }),
    { numRuns: 60 },
  );
  await agent.restart();
  expect(await agent.vm("rotten")).toMatchObject({ phase: "running" });
});

test("property: whatever stands at whatever place of a record without a checksum, every other VM is as before", async () => {
  await using agent = await aNodeOfFour();
  const before = await othersOf(agent);
  const file = join(agent.dataFolder, "vms/rotten/record.json");
  const record = JSON.parse(await readFile(file, "utf8"));
  let unreadable = 0;
  await fc.assert(
    fc.asyncProperty(anyCorruption, async (corrupt) => {
      await agent.lifecycle[Symbol.asyncDispose]();
      await writeFile(file, JSON.stringify(corrupt(record)));
      await agent.restart();
      if (await expectWhole(agent, before)) unreadable++;
    }),
    { numRuns: 120 },
  );
  expect(unreadable).toBeGreaterThan(30);
});

test("a guest that says what cannot be makes its VM unreadable, and no other", async () => {
  await using agent = await aNodeOfFour();
  const before = await othersOf(agent);
  const file = join(agent.runFolder, "vms/rotten/guest.json");
  const guest = JSON.parse(await readFile(file, "utf8"));
  await writeFile(
    file,
    JSON.stringify({ ...guest, live: { ...guest.live, memory: { sizeMiB: "much", maxMiB: 512 } } }),
  );
  expect(await expectWhole(agent, before)).toBe(true);
  const { unreadable } = await agent.lifecycle.report(NEVER);
  expect(unreadable?.[0]?.problem).toContain("does not make sense: live");
  await writeFile(file, JSON.stringify(guest));
  expect(await expectWhole(agent, before)).toBe(false);
});
