/**
 * What the guest's own rules say of one changed field. Settings that odorobo does not model are looked at key by key and item by
 * item, and the worst of what they need is the verdict.
 *
 *   VmReport.changeRules → [judge-by-rules.ts] → classify.ts
 */
import { isWorse } from "../model/change-class.ts";
import { type FieldDifference, sameValue } from "../model/fields.ts";
import { identityOf } from "../model/item-identity.ts";
import { byName } from "../model/names.ts";
import type { ChangeRule } from "../model/observed-state.ts";
import type { Disk } from "../model/vm-spec.ts";

export interface RuleVerdict {
  readonly kind: "class";
  readonly class: ChangeRule["class"];
  readonly note: string | null;
}

/** Null: no rule fits some part of the change. */
export function judgeByRules(difference: FieldDifference, rules: readonly ChangeRule[]): RuleVerdict | null {
  let worst: RuleVerdict | null = null;
  for (const part of partsOf(difference)) {
    const rule = rules.find((each) => fits(each, part));
    if (rule === undefined) return null;
    if (worst === null || isWorse(rule.class, worst.class))
      worst = { kind: "class", class: rule.class, note: rule.note };
  }
  return worst;
}

/** A disk of the agent's that differs in nothing but that it is to be larger. */
export function onlyGrows({ origin: was, ...before }: Disk, { origin: becomes, ...after }: Disk): boolean {
  if (was.kind === "external" || becomes.kind === "external" || !sameValue(before, after)) return false;
  // What an image is called in the manifests is none of the disk's business; nor is where the next disk's would be fetched.
  const bytes = (origin: typeof was) => ({ ...origin, image: "", sizeMiB: 0, remote: null });
  return becomes.sizeMiB > was.sizeMiB && sameValue(bytes(was), bytes(becomes));
}

/** The smallest change that a rule can be about. */
interface Part {
  readonly path: string;
  readonly change: Exclude<ChangeRule["change"], "any">;
  readonly from?: number;
  readonly to?: number;
}

function partsOf({ path, from, to }: FieldDifference): readonly Part[] {
  if (path.startsWith("passthrough.")) return partsOfSetting(path, from, to);
  if (from === null) return [{ path, change: "add" }];
  if (to === null) return [{ path, change: "remove" }];
  if (path.startsWith("disks.")) return [{ path, change: onlyGrows(from as Disk, to as Disk) ? "raise" : "change" }];
  return [partOfValue(path, from, to)];
}

function partsOfSetting(path: string, from: unknown, to: unknown): readonly Part[] {
  if (isList(from) || isList(to)) {
    const items = partsOfItems(path, from, to);
    if (items !== null) return items;
  }
  if (from === null) return added(path, to);
  if (to === null) return [{ path, change: "remove" }];
  return partsWithin(path, from, to);
}

/** A list of things that are known by something; null: it is no such list. */
function partsOfItems(path: string, from: unknown, to: unknown): readonly Part[] | null {
  const [before, after] = [byIdentity(from ?? []), byIdentity(to ?? [])];
  if (before === null || after === null) return null;
  const parts: Part[] = [];
  for (const name of [...new Set([...before.keys(), ...after.keys()])].sort(byName)) {
    const [was, becomes] = [before.get(name), after.get(name)];
    if (was === undefined) parts.push(...added(`${path}.${name}`, becomes));
    else if (becomes === undefined) parts.push({ path: `${path}.${name}`, change: "remove" });
    else parts.push(...partsWithin(`${path}.${name}`, was, becomes));
  }
  // The same items in another order.
  return parts.length === 0 ? [{ path, change: "change" }] : parts;
}

/** The whole and what it says of itself: some of that may not come while the guest runs. A switch that is off says nothing. */
function added(path: string, value: unknown): readonly Part[] {
  const said = isRecord(value) ? Object.keys(value).filter((key) => value[key] !== false && value[key] !== null) : [];
  return [path, ...said.map((key) => `${path}.${key}`)].map((each) => ({ path: each, change: "add" }));
}

/** Inside of something that was there before and still is: what comes and goes there changes it. */
function partsWithin(path: string, from: unknown, to: unknown): readonly Part[] {
  if (sameValue(from, to)) return [];
  if (isRecord(from) && isRecord(to))
    return [...new Set([...Object.keys(from), ...Object.keys(to)])]
      .sort(byName)
      .flatMap((key) => partsWithin(`${path}.${key}`, from[key], to[key]));
  const [before, after] = [byIdentity(from), byIdentity(to)];
  if (before !== null && after !== null && sameValue([...before.keys()].sort(byName), [...after.keys()].sort(byName)))
    return [...before.keys()].flatMap((name) => partsWithin(`${path}.${name}`, before.get(name), after.get(name)));
  return [partOfValue(path, from, to)];
}

function partOfValue(path: string, from: unknown, to: unknown): Part {
  if (typeof from !== "number" || typeof to !== "number") return { path, change: "change" };
  return { path, change: to > from ? "raise" : "lower", from, to };
}

/** Null for what is no list of items with identities of their own. */
function byIdentity(list: unknown): ReadonlyMap<string, unknown> | null {
  if (!isList(list)) return null;
  const items = new Map<string, unknown>();
  for (const item of list) {
    const identity = identityOf(item);
    if (identity === null || items.has(identity)) return null;
    items.set(identity, item);
  }
  return items;
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function fits(rule: ChangeRule, { path, change, from, to }: Part): boolean {
  if (rule.change !== "any" && rule.change !== change) return false;
  if (!covers(rule.path, path)) return false;
  if (rule.min === undefined && rule.max === undefined && rule.multipleOf === undefined) return true;
  if (from === undefined || to === undefined) return false;
  if (rule.min !== undefined && to < rule.min) return false;
  if (rule.max !== undefined && to > rule.max) return false;
  return rule.multipleOf === undefined || (to - from) % rule.multipleOf === 0;
}

/** `*` stands for the name of any item, which may have dots of its own. */
function covers(pattern: string, path: string): boolean {
  const [head = "", tail] = pattern.split("*");
  if (tail === undefined) return path === pattern || path.startsWith(`${pattern}.`);
  return (
    path.startsWith(head) && (tail === "" ? path.length > head.length : path.slice(head.length + 1).endsWith(tail))
  );
}
