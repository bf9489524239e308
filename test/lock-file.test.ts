// `npm ci` refuses a lock file that leaves out an optional package of another platform, and `npm install` writes such a
// file where a registry mirror lacks them: the first command of the README would then fail for everyone.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface LockedPackage {
  optionalDependencies?: Record<string, string>;
}

test("The lock file names the optional packages of every platform.", () => {
  const text = readFileSync(new URL("../package-lock.json", import.meta.url), "utf8");
  const { packages } = JSON.parse(text) as { packages: Record<string, LockedPackage> };

  const optional = Object.values(packages).flatMap((each) => Object.keys(each.optionalDependencies ?? {}));
  const missing = optional.filter((name) => packages[`node_modules/${name}`] === undefined);

  expect(optional.length).toBeGreaterThan(20);
  expect(missing).toEqual([]);
});
