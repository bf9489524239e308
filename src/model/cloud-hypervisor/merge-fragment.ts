/**
 * The `cloudHypervisor:` section of a manifest laid over a VmConfig, and what such a section would have to be. Pure.
 *
 * Objects are merged key by key; items of a list by their identity (`id`, else `tag`, `socket`, `path`, …), those without
 * one are appended; `null` takes away.
 */
import { sameValue } from "../fields.ts";
import { identityOf } from "../item-identity.ts";

export type Fragment = Readonly<Record<string, unknown>>;

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function mergeFragment<T extends object>(base: T, fragment: Fragment): T {
  const merged: Record<string, unknown> = { ...(base as Fragment) };
  for (const [key, value] of Object.entries(fragment)) {
    // As a key it would change what the object is, not what it holds.
    if (key === "__proto__") continue;
    if (value === null) delete merged[key];
    else merged[key] = mergeValue(merged[key], value);
  }
  return merged as T;
}

function mergeValue(base: unknown, over: unknown): unknown {
  if (isRecord(over)) return mergeFragment(isRecord(base) ? base : {}, over);
  if (Array.isArray(over)) return mergeList(Array.isArray(base) ? base : [], over);
  return over;
}

function mergeList(base: readonly unknown[], over: readonly unknown[]): unknown[] {
  const merged = [...base];
  const places = new Map<string, number>();
  const note = (item: unknown, index: number): void => {
    const identity = identityOf(item);
    // Of several with one identity the first counts.
    if (identity !== null && !places.has(identity)) places.set(identity, index);
  };
  for (const [index, item] of base.entries()) note(item, index);
  for (const item of over) {
    const identity = identityOf(item);
    const index = identity === null ? undefined : places.get(identity);
    if (index === undefined) note(item, merged.push(mergeValue(undefined, item)) - 1);
    else merged[index] = mergeValue(merged[index], item);
  }
  return merged;
}

/**
 * What must be laid over `base` to get `target`. Items that `base` has and `target` has not cannot be expressed and are passed
 * over: a fragment takes nothing out of a list.
 */
export function fragmentBetween(base: Fragment, target: Fragment): Fragment {
  const fragment: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(base), ...Object.keys(target)])) {
    const [before, after] = [base[key], target[key]];
    if (sameValue(before, after)) continue;
    const value = valueBetween(before, after);
    if (value !== undefined) fragment[key] = value;
  }
  return fragment;
}

/** Undefined: nothing that a fragment could say. */
function valueBetween(before: unknown, after: unknown): unknown {
  if (after === undefined) return null;
  if (isRecord(before) && isRecord(after)) return fragmentBetween(before, after);
  if (!Array.isArray(before) || !Array.isArray(after)) return after;
  const items = after.flatMap((item) => {
    const identity = identityOf(item);
    const known = identity === null ? undefined : before.find((each) => identityOf(each) === identity);
    if (known === undefined) return before.some((each) => sameValue(each, item)) ? [] : [item];
    if (!isRecord(known) || !isRecord(item)) return [];
    const difference = fragmentBetween(known, item);
    return Object.keys(difference).length === 0 ? [] : [{ ...identifying(item), ...difference }];
  });
  return items.length === 0 ? undefined : items;
}

/** The key that makes the item findable again. */
function identifying(item: Readonly<Record<string, unknown>>): Fragment {
  const identity = identityOf(item);
  const key = Object.keys(item).find((each) => identityOf({ [each]: item[each] }) === identity);
  return key === undefined ? {} : { [key]: item[key] };
}
