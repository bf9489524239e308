/** Whatever stands at whatever place: what is wrong with it is a diagnostic with a place, and never a surprise. */
import { expect, test, vi } from "vitest";
import { readManifests } from "../../src/manifest/read-manifests.ts";
import { KIND_SCHEMAS, type Path, placesIn, wholeDocument, wholePassthrough, withValue } from "../support/any-place.ts";
import { ENOUGH_DRAWS } from "../support/enough-draws.ts";
import { aFleetDocument, aVm, textsOf } from "../support/manifest-texts.ts";

vi.setConfig({ testTimeout: 240_000 });

/** Of the values at the deeper places; every one of them at each takes minutes. */
const ONE_IN = ENOUGH_DRAWS ? 4 : 150;

/** One or more of every type that JSON has, and what reads like another. */
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  9_007_199_254_740_991,
  "",
  "web",
  "constructor",
  "#cloud-config",
  [],
  [null],
  [[]],
  [5, "x"],
  [{}],
  [{ id: 5, path: "/x" }],
  [{ name: "a" }, { name: "a" }],
  {},
  { a: null },
  { name: 5, id: [] },
  { length: 1 },
];

function check(document: unknown, told: string): void {
  const texts = textsOf({ "_fleet.yaml": aFleetDocument(), "b.yaml": aVm("b"), "a.yaml": JSON.stringify(document) });
  const { desired, diagnostics } = attempt(() => readManifests(texts), told);
  expect(desired === null, told).toBe(diagnostics.some(({ severity }) => severity === "error"));
  for (const { line, column, endColumn, message } of diagnostics)
    expect(line > 0 && column > 0 && endColumn > column && message !== "", told).toBe(true);
}

const toldOf = (path: Path, value: unknown): string => `${path.join("/")} = ${JSON.stringify(value)}`;

test.each(KIND_SCHEMAS)("every value at every place of %s", (file) => {
  const whole = wholeDocument(file);
  let turn = 0;
  for (const path of placesIn(whole)) {
    turn++;
    for (const [index, value] of VALUES.entries())
      if ((ENOUGH_DRAWS && path.length < 3) || (index + turn) % ONE_IN === 0)
        check(withValue(whole, path, value), toldOf(path, value));
  }
});

test("every value at every place of a passthrough, each section alone in a VM that is well", () => {
  const whole = wholePassthrough() as Record<string, unknown>;
  let turn = 0;
  for (const path of placesIn(whole)) {
    const [section] = path;
    if (section === undefined) continue;
    turn++;
    for (const [index, value] of VALUES.entries()) {
      if ((path.length > 3 || !ENOUGH_DRAWS) && (index + turn) % ONE_IN !== 0) continue;
      const cloudHypervisor = withValue({ [section]: whole[section] }, path, value);
      const spec = { size: "1GiB", boot: { kernel: "builtin:tiny" }, cloudHypervisor };
      check(
        { apiVersion: "odorobo.dev/v1", kind: "VirtualMachine", metadata: { name: "a" }, spec },
        toldOf(["cloudHypervisor", ...path], value),
      );
    }
  }
});

function attempt<Result>(act: () => Result, told: string): Result {
  try {
    return act();
  } catch (cause) {
    throw new Error(`not a diagnostic but an exception at ${told}`, { cause });
  }
}
