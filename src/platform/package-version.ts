/** Our own version, as package.json says it: read from the sources and from the built package alike. */
import { readFileSync } from "node:fs";
import { PACKAGE_ROOT } from "./package-root.ts";

export const packageVersion = (): string =>
  JSON.parse(readFileSync(new URL("package.json", PACKAGE_ROOT), "utf8")).version;
