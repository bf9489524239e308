/** JSON of strangers. What walks a document further on may call itself for each level, and may copy by key: so neither depth nor `__proto__` gets past here. */

/** A VM's spec with a fragment of its hypervisor's configuration has some ten levels. */
const MAX_DEPTH = 64;

/** Throws SyntaxError, with a phrase for the caller. */
export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError(text === "" ? "is empty" : "is not JSON", { cause });
  }
  refuseUnfit(value, 0);
  return value;
}

function refuseUnfit(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depth === MAX_DEPTH) throw new SyntaxError(`is nested more than ${MAX_DEPTH} levels deep`);
  if (Object.hasOwn(value, "__proto__")) throw new SyntaxError("has a key __proto__");
  for (const each of Array.isArray(value) ? value : Object.values(value)) refuseUnfit(each, depth + 1);
}
