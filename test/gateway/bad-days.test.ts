/** A loop whose disk is full for a while, and one whose clock jumps: the same story comes out. */
import { expect, test } from "vitest";
import { OdoroboError } from "../../src/model/errors.ts";
import { instant } from "../../src/model/names.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { aStoryteller } from "../support/a-loop-story.ts";

const WRITTEN = ["remembered", "begun", "approved", "step-started", "step-succeeded", "ended"];

test("a disk that is full under memory or journal holds all up until there is room, and nothing is done twice or lost", {
  timeout: 600_000,
}, async () => {
  await using teller = await aStoryteller();
  const whole = await teller.tell("whole");
  for (const what of WRITTEN) {
    let failures = 0;
    const story = await teller.tell(`full-${what}`, {
      at: (name) => {
        // From the second time on, and twice: what tries again meets it again.
        if (name !== `before ${what}` || ++failures < 2 || failures > 3) return;
        throw new OdoroboError("FILE_UNWRITABLE", "no space left on device", { hint: "make room" });
      },
    });
    expect(failures, what).toBeGreaterThan(3);
    expect(story.done, what).toEqual(whole.done);
    expect(story.approved, what).toBe(whole.approved);
    expect(story.hasDied, what).toBe(false);
  }
});

test("a clock that jumps by years, there and back, changes nothing of the story", { timeout: 300_000 }, async () => {
  await using teller = await aStoryteller();
  const whole = await teller.tell("whole");
  const YEAR_MS = 31_557_600_000;
  let off = 0;
  let count = 0;
  const clock = { ...systemClock, now: () => instant(new Date(Date.now() + off).toISOString()) };
  const jump = () => {
    count += 1;
    off = [0, YEAR_MS, -10 * YEAR_MS, 3_600_000][count % 4] as number;
  };
  const story = await teller.tell("jumping", { clock, at: jump });
  expect(story.done).toEqual(whole.done);
  expect(story.approved).toBe(whole.approved);
});
