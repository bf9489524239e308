/** "Did you mean": hints for words that are nearly right. */
import { byName } from "../../model/names.ts";
import { nearest } from "../../model/nearest.ts";

export { nearest };

/** A hint that names the nearest candidate, else up to `most` of them, else the sentence for when there is none. */
export function suggest(word: string, candidates: Iterable<string>, otherwise: string, most = 8): string {
  // Once: what candidates come from may be read only once.
  const all = [...candidates].sort(byName);
  const near = nearest(word, all);
  if (near !== null) return `did you mean "${near}"?`;
  if (all.length === 0) return otherwise;
  return `one of: ${all.slice(0, most).join(", ")}${all.length > most ? ", …" : ""}`;
}
