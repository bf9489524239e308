import fc from "fast-check";
import { expect, test } from "vitest";
import { type CommitStatus, FORGE_LIMITS, type Forge } from "../../../src/gateway/forge/forge.ts";
import { StatusQueue } from "../../../src/gateway/forge/status-queue.ts";
import { OdoroboError } from "../../../src/model/errors.ts";
import { silentLogger } from "../../../src/platform/logger.ts";

const trouble = new OdoroboError("FORGE_UNREACHABLE", "forge answered 500 to POST /x");

/** `fails`: for each call whether it fails; then all succeed. `delays`: turns of the event loop that a call takes. */
function aSlowForge(fails: readonly boolean[], delays: readonly number[]): { forge: Forge; taken: CommitStatus[] } {
  const taken: CommitStatus[] = [];
  let call = 0;
  const setStatus = async (status: CommitStatus) => {
    const number = call++;
    for (let turn = delays[number % delays.length] ?? 0; turn > 0; turn--) await new Promise(setImmediate);
    if (fails[number]) throw trouble;
    taken.push(status);
  };
  const forge = { kind: "gitea", name: "forge", limits: FORGE_LIMITS.gitea, setStatus } as unknown as Forge;
  return { forge, taken };
}

test("whatever fails and whenever more comes: each commit ends with its newest, and never goes back", async () => {
  const step = fc.record({ commit: fc.integer({ min: 0, max: 3 }), wait: fc.integer({ min: 0, max: 4 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      // Fewer than make it let go of one.
      fc.array(fc.boolean(), { maxLength: 25 }).filter((fails) => fails.filter(Boolean).length < 10),
      fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 5 }),
      async (steps, fails, delays) => {
        const { forge, taken } = aSlowForge(fails, delays);
        const signal = new AbortController().signal;
        const queue = new StatusQueue({ forge, log: silentLogger, signal, firstMs: 0, longestMs: 1 });
        const newest = new Map<string, number>();
        for (const [number, { commit, wait }] of steps.entries()) {
          newest.set(String(commit), number);
          queue.put({ commit: String(commit), context: "c", state: "pending", line: String(number), link: null });
          for (let turn = wait; turn > 0; turn--) await new Promise(setImmediate);
        }
        await queue.settled();
        for (const [commit, number] of newest) {
          const told = taken.filter((each) => each.commit === commit).map(({ line }) => Number(line));
          expect(told.at(-1)).toBe(number);
          expect(told).toEqual([...told].sort((a, b) => a - b));
        }
        expect(queue.dropped).toBe(0);
      },
    ),
    { numRuns: 100 },
  );
});
