/**
 * Every field of a VmSpec that can differ, as a table: its path (what plans and reports show), its pointer in the manifest
 * (for file:line and `ignore`), and how to read it. Lists of named things are one row each name: `disks.root`, `nics.eth0`.
 *
 * Both sides use it: agents to compare a spec with the live configuration, `reconcile/` to compare desired with applied.
 * To add a field: docs/how-to-add-a-field.md.
 */
import { byName } from "./names.ts";
import type { LiveConfig } from "./observed-state.ts";
import type { Disk, Forward, Nic, VmSpec } from "./vm-spec.ts";

interface FieldRow {
  readonly path: string;
  readonly pointer: string;
  /** Where it stands in a VmSpec, and, when `live`, at the same place in a LiveConfig. */
  readonly keys: readonly [string] | readonly [string, string];
  /** A running hypervisor can be asked about it. */
  readonly live?: true;
  /** A record of which odorobo knows nothing but the keys: each is a field of its own, `passthrough.fs`. */
  readonly byKey?: true;
}

const SCALARS: readonly FieldRow[] = [
  { path: "hypervisor", pointer: "/spec/hypervisor", keys: ["hypervisor"] },
  { path: "runStrategy", pointer: "/spec/runStrategy", keys: ["runStrategy"] },
  { path: "labels", pointer: "/metadata/labels", keys: ["labels"] },
  { path: "annotations", pointer: "/metadata/annotations", keys: ["annotations"] },
  { path: "cpus.count", pointer: "/spec/cpus/count", keys: ["cpus", "count"], live: true },
  { path: "cpus.max", pointer: "/spec/cpus/max", keys: ["cpus", "max"], live: true },
  { path: "memory.size", pointer: "/spec/memory/size", keys: ["memory", "sizeMiB"], live: true },
  { path: "memory.max", pointer: "/spec/memory/max", keys: ["memory", "maxMiB"], live: true },
  { path: "boot", pointer: "/spec/boot", keys: ["boot"], live: true },
  { path: "cloudInit", pointer: "/spec/cloudInit", keys: ["cloudInit"], live: true },
  { path: "ready", pointer: "/spec/ready", keys: ["ready"] },
  { path: "migration", pointer: "/spec/migration", keys: ["migration"] },
  { path: "onDrain", pointer: "/spec/onDrain", keys: ["onDrain"] },
  { path: "group", pointer: "/spec/group", keys: ["group"] },
  { path: "protect", pointer: "/spec/protect", keys: ["protect"] },
  { path: "retain.disks", pointer: "/spec/retain/disks", keys: ["retainDisksSeconds"] },
  { path: "retain.moved", pointer: "/spec/retain/moved", keys: ["retainMovedSeconds"] },
  { path: "shutdownGrace", pointer: "/spec/shutdownGrace", keys: ["shutdownGraceSeconds"] },
  { path: "weights.cpu", pointer: "/spec/weights/cpu", keys: ["weights", "cpu"] },
  { path: "weights.io", pointer: "/spec/weights/io", keys: ["weights", "io"] },
  { path: "passthrough", pointer: "/spec/passthrough", keys: ["passthrough"], live: true, byKey: true },
];

const LIVE_SCALARS = SCALARS.filter((row) => row.live === true);

const LISTS = ["disks", "nics"] as const;

const LIVE_KEYS = [
  "cpus",
  "memory",
  "boot",
  "disks",
  "nics",
  "cloudInit",
  "passthrough",
] as const satisfies readonly (keyof LiveConfig)[];

/** All that a difference can be about; `ignore` can name these, what is around them, and single items of the lists and of passthrough. */
export const FIELD_POINTERS: readonly string[] = [
  ...SCALARS.map((row) => row.pointer),
  ...LISTS.map((list) => `/spec/${list}`),
];

export interface FieldDifference {
  readonly path: string;
  readonly pointer: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** Where two specs differ, in the order of the table, then disks and nics by name. */
export function compareSpecs(from: VmSpec, to: VmSpec): FieldDifference[] {
  if (from === to) return [];
  const differences: FieldDifference[] = [];
  for (const row of SCALARS) compareRow(differences, row, from, to);
  for (const list of LISTS) {
    compareNamed(differences, list, from[list], to[list]);
    compareOrder(differences, list, from[list], to[list]);
  }
  return differences;
}

/** Where a running guest (`from`) differs from a spec (`to`), for the fields that a hypervisor can be asked about. */
export function compareLive(live: LiveConfig, spec: VmSpec): FieldDifference[] {
  if (LIVE_KEYS.every((key) => live[key] === spec[key])) return [];
  const differences: FieldDifference[] = [];
  for (const row of LIVE_SCALARS) compareRow(differences, row, live, spec);
  compareNamed(differences, "disks", withImageNames(live.disks, spec.disks), spec.disks);
  compareNamed(differences, "nics", inWordsOfNics(live.nics, spec.nics), spec.nics);
  return differences;
}

/**
 * No hypervisor knows what an image or a network is called in the manifests, or where it was fetched: that is the spec's where all else is the
 * same.
 */
const withImageNames = (live: readonly Disk[], spec: readonly Disk[]): readonly Disk[] =>
  live.map((disk) => {
    const { origin } = disk;
    const wanted = spec.find((each) => each.name === disk.name)?.origin;
    if (origin.kind !== "image" || wanted?.kind !== "image") return disk;
    if (origin.image === wanted.image && origin.remote === wanted.remote) return disk;
    const { remote: _, ...bytes } = origin;
    const remote = wanted.remote === undefined ? {} : { remote: wanted.remote };
    return { ...disk, origin: { ...bytes, image: wanted.image, ...remote } };
  });

export const inWordsOfNics = (live: readonly Nic[], spec: readonly Nic[]): readonly Nic[] =>
  live.map((nic) => {
    const wanted = spec.find((each) => each.name === nic.name);
    if (wanted === undefined) return nic;
    const named = withSurroundings(nic, wanted);
    return named.attachment.kind !== "user" || nic.forwards === undefined
      ? named
      : { ...named, forwards: inWordsOf(nic.forwards, wanted.forwards ?? []) };
  });

/** A port that the agent chose is the one that the spec left open. */
const inWordsOf = (live: readonly Forward[], spec: readonly Forward[]): readonly Forward[] =>
  live.map((forward) => {
    const left = { ...forward, hostPort: null };
    return spec.some((each) => sameValue(each, left)) ? left : forward;
  });

/**
 * A NIC as its guest has it, in the network that another speaks of: that is its agent's to make, and no hypervisor knows of it. What the
 * guest is told of it is one thing with that where an agent's own server tells it, and the guest's since its boot elsewhere.
 */
export function withSurroundings(nic: Nic, { network, config, made, rules, ...wanted }: Nic): Nic {
  const { config: known, made: _made, rules: _rules, forwards: opened, ...own } = nic;
  const told = made?.dhcp === true ? config : known;
  // By the hypervisor itself on a network of its own, else by the node.
  const forwards = nic.attachment.kind === "user" ? opened : wanted.forwards;
  return {
    ...own,
    network,
    ...(forwards === undefined ? {} : { forwards }),
    ...(told === undefined ? {} : { config: told }),
    ...(made === undefined ? {} : { made }),
    ...(rules === undefined ? {} : { rules }),
  };
}

/** Whether two NICs differ in nothing that a guest's hardware shows. */
export const isSameHardware = (one: Nic, other: Nic): boolean => sameValue(withSurroundings(one, other), other);

/** True when a pointer, or one of its parents, is in the list: `/spec/cpus` covers `/spec/cpus/count`. */
export const isCovered = (pointer: string, pointers: readonly string[]): boolean =>
  pointers.some((each) => pointer === each || pointer.startsWith(`${each}/`));

/** `spec` with the fields at these pointers as they are in `kept`: what `ignore` means for a VM that already exists. */
export function keepFields(spec: VmSpec, kept: VmSpec, pointers: readonly string[]): VmSpec {
  if (pointers.length === 0) return spec;
  const result: Record<string, unknown> = { ...spec };
  for (const { keys, pointer, byKey } of SCALARS) {
    if (!isCovered(pointer, pointers)) {
      if (byKey === true)
        result[keys[0]] = keepKeys(recordAt(spec, keys[0]), recordAt(kept, keys[0]), pointer, pointers);
      continue;
    }
    const [first, second] = keys;
    const source = (kept as unknown as Record<string, unknown>)[first];
    result[first] =
      second === undefined
        ? source
        : { ...(result[first] as object), [second]: (source as Record<string, unknown>)[second] };
  }
  for (const list of LISTS) {
    const before = new Map<string, { readonly name: string }>(kept[list].map((item) => [item.name, item]));
    const names = inOldPlaces(
      spec[list].map((item) => item.name),
      [...before.keys()],
    );
    const items = new Map<string, { readonly name: string }>(spec[list].map((item) => [item.name, item]));
    result[list] = names
      .map((name) => (isCovered(`/spec/${list}/${name}`, pointers) ? before.get(name) : items.get(name)))
      .filter((item) => item !== undefined);
  }
  return result as unknown as VmSpec;
}

/** `record` with the covered keys as they are in `kept`; the very same record when none is. */
function keepKeys(record: PlainRecord, kept: PlainRecord, pointer: string, pointers: readonly string[]): PlainRecord {
  const covered = [...new Set([...Object.keys(record), ...Object.keys(kept)])].filter((key) =>
    isCovered(`${pointer}/${key}`, pointers),
  );
  if (covered.length === 0) return record;
  const entries = Object.entries(record).filter(([key]) => !covered.includes(key));
  const old = covered.filter((key) => Object.hasOwn(kept, key)).map((key): [string, unknown] => [key, kept[key]]);
  return Object.fromEntries([...entries, ...old].sort(([a], [b]) => byName(a, b)));
}

/** `names`, and those of `before` that are not in it, each behind what it stood behind. */
function inOldPlaces(names: readonly string[], before: readonly string[]): string[] {
  const result = [...names];
  for (const [index, name] of before.entries()) {
    if (result.includes(name)) continue;
    const neighbour = before.slice(0, index).findLast((each) => result.includes(each));
    result.splice(neighbour === undefined ? 0 : result.indexOf(neighbour) + 1, 0, name);
  }
  return result;
}

/** The live configuration of a guest that was just booted with this spec. */
export const toLiveConfig = (spec: VmSpec): LiveConfig => ({
  cpus: spec.cpus,
  memory: spec.memory,
  boot: spec.boot,
  disks: spec.disks,
  nics: spec.nics,
  cloudInit: spec.cloudInit,
  passthrough: spec.passthrough,
});

type PlainRecord = Readonly<Record<string, unknown>>;

const recordAt = (from: object, key: string): PlainRecord =>
  (from as Record<string, PlainRecord | undefined>)[key] ?? {};

function compareRow(differences: FieldDifference[], row: FieldRow, from: object, to: object): void {
  const { path, pointer, keys, byKey } = row;
  if (byKey !== true) {
    push(differences, path, pointer, read(from, row), read(to, row));
    return;
  }
  const [before, after] = [recordAt(from, keys[0]), recordAt(to, keys[0])];
  for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort(byName)) {
    const [was, becomes] = [before[key], after[key]].map((value) => value ?? null);
    push(differences, `${path}.${key}`, `${pointer}/${key}`, was, becomes);
  }
}

function read(from: object, { keys: [first, second] }: FieldRow): unknown {
  const value = (from as Record<string, unknown>)[first];
  return second === undefined ? value : (value as Record<string, unknown> | null)?.[second];
}

function compareNamed(
  differences: FieldDifference[],
  list: "disks" | "nics",
  from: readonly { readonly name: string }[],
  to: readonly { readonly name: string }[],
): void {
  if (from === to || sameValue(from, to)) return;
  const before = new Map(from.map((item) => [item.name, item]));
  const after = new Map(to.map((item) => [item.name, item]));
  const names = [...new Set([...before.keys(), ...after.keys()])].sort(byName);
  for (const name of names)
    push(differences, `${list}.${name}`, `/spec/${list}/${name}`, before.get(name) ?? null, after.get(name) ?? null);
}

/** Firmware boots from the first disk, and guests name disks and NICs by their place: the order of those that stay is a field too. */
function compareOrder(
  differences: FieldDifference[],
  list: "disks" | "nics",
  from: readonly { readonly name: string }[],
  to: readonly { readonly name: string }[],
): void {
  const before = new Set(from.map((item) => item.name));
  const after = new Set(to.map((item) => item.name));
  const was = [...before].filter((name) => after.has(name));
  const becomes = [...after].filter((name) => before.has(name));
  push(differences, list, `/spec/${list}`, was, becomes);
}

function push(differences: FieldDifference[], path: string, pointer: string, from: unknown, to: unknown): void {
  if (!sameValue(from, to)) differences.push({ path, pointer, from, to });
}

/** Deep equality of JSON values; the order of keys does not matter, the order of lists does. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => sameValue(item, b[index]))
    );
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && sameValue(left[key], right[key]))
  );
}
