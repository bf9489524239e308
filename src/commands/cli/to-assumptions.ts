/** `--assume n3=down` as a value. */
import { OdoroboError } from "../../model/errors.ts";
import { nodeName } from "../../model/names.ts";
import type { Assumption } from "../../plan/assume.ts";

/** In the order of names, and each node once: the last word counts. Throws USAGE. */
export function toAssumptions(texts: readonly string[]): Assumption[] {
  const assumed = new Map<string, Assumption["is"]>();
  for (const text of texts) {
    const [, node, is] = /^([^=]+)=(down|fenced)$/.exec(text) ?? [];
    if (node === undefined)
      throw new OdoroboError("USAGE", `--assume: ${JSON.stringify(text)} is not NODE=STATE`, {
        hint: "such as n3=down or n3=fenced",
      });
    assumed.set(node, is as Assumption["is"]);
  }
  return [...assumed].sort(([a], [b]) => (a < b ? -1 : 1)).map(([node, is]) => ({ node: nodeName(node), is }));
}
