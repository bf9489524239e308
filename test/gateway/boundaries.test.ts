/**
 * Every boundary of what a gateway's loop writes down, once each: it dies there in the middle of a whole story, and the next one carries
 * on. `loops.test.ts` kills real processes at some of them, `npm run faults -- --gateway` at any moment.
 */
import { expect, test } from "vitest";
import { aStoryteller } from "../support/a-loop-story.ts";

test("killed at every boundary of a story: nothing is done twice, no approval is lost, nothing is left", {
  timeout: 900_000,
}, async () => {
  await using teller = await aStoryteller();
  const whole = await teller.tell("whole");
  const boundaries = new Set(whole.passed);
  for (let dieAt = 1; ; dieAt++) {
    const story = await teller.tell(`at-${dieAt}`, { dieAt });
    const which = `killed ${story.passed.at(-1)}, its boundary ${dieAt}`;
    expect(story.done, which).toEqual(whole.done);
    expect(story.approved, which).toBe(whole.approved);
    if (!story.hasDied) break;
    for (const name of story.passed) boundaries.add(name);
  }
  for (const name of ["begun", "remembered", "approved", "step-started", "step-succeeded", "ended"])
    for (const side of ["before", "after"]) expect(boundaries).toContain(`${side} ${name}`);
});
