/** Profiles: maps merge, disks and nics merge by name, other lists replace, null removes. Nothing that is given is changed. */
import type { LayerValues } from "./layer.ts";

const NAMED_LISTS: ReadonlySet<string> = new Set(["disks", "nics"]);

export function mergeLayers(below: LayerValues, above: LayerValues): LayerValues {
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    if (value === null) delete merged[key];
    else if (NAMED_LISTS.has(key)) merged[key] = mergeNamed(merged[key] as Named[] | undefined, value as Named[]);
    else merged[key] = mergeValue(merged[key], value);
  }
  return merged as LayerValues;
}

interface Named {
  readonly name: string;
}

/** Items keep their order, new ones follow. A disk named root is the one to boot from, wherever it was written. */
function mergeNamed(below: readonly Named[] | undefined, above: readonly Named[]): Named[] {
  const items = new Map<string, Named>((below ?? []).map((item) => [item.name, item]));
  for (const item of above) items.set(item.name, mergeValue(items.get(item.name), item) as Named);
  const root = items.get("root");
  if (root === undefined) return [...items.values()];
  items.delete("root");
  return [root, ...items.values()];
}

/** Also takes the nulls out of what is merged onto nothing: a null says that there is nothing. */
function mergeValue(below: unknown, above: unknown): unknown {
  if (!isMap(above)) return above;
  const merged: Record<string, unknown> = isMap(below) ? { ...below } : {};
  for (const [key, value] of Object.entries(above)) {
    if (value === null) delete merged[key];
    else merged[key] = mergeValue(merged[key], value);
  }
  return merged;
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
