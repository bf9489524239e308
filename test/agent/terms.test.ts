/** What an agent keeps of who leads: the last fence against a gateway that does not know yet that it leads no more. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Terms } from "../../src/agent/store/terms.ts";
import { formatTerm, isBefore, type OrderTerm, parseTerm } from "../../src/wire/order-term.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const term = (number: number, epoch = 0, fleet = "shop"): OrderTerm => ({ fleet, epoch, number });

test("a lower term is refused, also by the next agent on the same folder; an epoch counts more", async () => {
  await using folder = await aTempFolder();
  const terms = new Terms(folder.path);
  await terms.admit(term(7));
  await terms.admit(term(7));
  await expect(terms.admit(term(6))).rejects.toMatchObject({ code: "STALE_TERM" });
  await terms.admit(term(1, 0, "lab"));
  const next = new Terms(folder.path);
  await expect(next.admit(term(6))).rejects.toMatchObject({ code: "STALE_TERM" });
  await next.admit(term(2, 1));
  await expect(next.admit(term(9))).rejects.toMatchObject({ code: "STALE_TERM" });
});

test("a new term is not taken before it can be kept", async () => {
  await using folder = await aTempFolder();
  await writeFile(join(folder.path, "terms"), "in the way");
  await expect(new Terms(folder.path).admit(term(1))).rejects.toMatchObject({ code: "STORAGE_FAILED" });
});

test("whatever comes at once, what is taken never falls", async () => {
  const anyTerm = fc.record({ fleet: fc.constant("shop"), epoch: fc.nat(2), number: fc.nat(5) });
  await fc.assert(
    fc.asyncProperty(fc.array(anyTerm, { maxLength: 12 }), async (all) => {
      await using folder = await aTempFolder({ inMemory: true });
      const terms = new Terms(folder.path);
      const taken: OrderTerm[] = [];
      await Promise.all(
        all.map((each) =>
          terms.admit(each).then(
            () => void taken.push(each),
            () => {},
          ),
        ),
      );
      // One that goes on may be told of a moment before one that was taken together with it.
      const highest = all.reduce<OrderTerm | null>(
        (max, each) => (max === null || isBefore(max, each) ? each : max),
        null,
      );
      if (highest !== null) await expect(new Terms(folder.path).admit(highest)).resolves.toBeUndefined();
      const lower = { fleet: "shop", epoch: highest?.epoch ?? 0, number: (highest?.number ?? 0) - 1 };
      if (highest !== null)
        await expect(new Terms(folder.path).admit(lower)).rejects.toMatchObject({ code: "STALE_TERM" });
    }),
    { numRuns: 50 },
  );
});

test("it crosses the wire as it is, and what is no term is none", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (epoch, number) => {
      expect(parseTerm(formatTerm(term(number, epoch)))).toEqual(term(number, epoch));
    }),
  );
  for (const text of ["", "shop", "shop 1", "shop 1 2 3", "Shop 1 2", "shop -1 2", "shop 1 x", "../x 1 2"])
    expect(parseTerm(text)).toBe(null);
});
