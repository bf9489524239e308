/** Whether somebody is in is a plain yes or no, also while one comes or goes. */
import { expect, test } from "vitest";
import { isIn, openDoor, order } from "../../src/run-store/executor-door.ts";

test("whoever looks while an executor goes sees that it is there or that it is not", async () => {
  const key = "of-a-test-of-coming-and-going";
  let isOver = false;
  const seen = new Set<unknown>();
  const look = async () => {
    while (!isOver) {
      seen.add(await isIn(key).catch((error: unknown) => error));
      seen.add(await order(key, { kind: "pause", by: "me" }).catch((error: unknown) => error));
    }
  };
  const onlookers = Array.from({ length: 8 }, look);
  for (let round = 0; round < 300; round++) {
    const door = await openDoor(key);
    door?.listen(() => {});
    // It goes while some are let in, and some wait to be.
    for (let turn = 0; turn < round % 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    await door?.[Symbol.asyncDispose]();
  }
  isOver = true;
  await Promise.all(onlookers);
  expect([...seen].filter((each) => typeof each !== "boolean")).toEqual([]);
  expect(seen).toEqual(new Set([true, false]));
});
