/** Our own version, as package.json says it: read from the sources and from the built package alike. */
import { readFileSync } from "node:fs";

export const packageVersion = (): string =>
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
