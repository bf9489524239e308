/**
 * Fields that Cloud Hypervisor does not know (it ignores them without a word), has not known yet in this version, or cannot read.
 * Pure.
 */
import { nearest } from "../nearest.ts";
import { VM_CONFIG } from "./config-fields.ts";
import type { Field, Fields, RecordField, Scalar } from "./field.ts";
import { isRecord } from "./merge-fragment.ts";
import { type ConfigPath, type ConfigProblem, pathText, type ReportProblem } from "./problem.ts";

/** True when all of it can be read: only then is it worth looking at what the values mean together. */
export function checkFields(config: unknown, major: number | null, report: ReportProblem): boolean {
  let readable = true;
  checkField(VM_CONFIG, config, [], {
    major,
    isFragment: false,
    unread(path, message, hint) {
      readable = false;
      report(path, message, hint);
    },
    report,
  });
  return readable;
}

/** What of a `cloudHypervisor:` section no config could be made of. What is missing in it may stand elsewhere. */
export function findUnreadable(fragment: unknown): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  checkField(VM_CONFIG, fragment, [], {
    major: null,
    isFragment: true,
    unread: (path, message, hint) => void problems.push({ path, message, hint }),
    report: () => {},
  });
  return problems;
}

/** Of one group of fields: who wrote something else altogether need not read it line by line. */
const UNKNOWN_AT_MOST = 20;

interface Context {
  readonly major: number | null;
  readonly isFragment: boolean;
  readonly report: ReportProblem;
  /** For what keeps the whole config from being read. */
  readonly unread: ReportProblem;
}

function checkField(field: Field, value: unknown, path: ConfigPath, context: Context): void {
  if (field.type === "record") checkRecord(field, value, path, context);
  else if (field.type !== "list") checkScalar(field, value, path, context);
  else if (!Array.isArray(value)) mismatch(value, "a list", path, context);
  else for (const [index, item] of value.entries()) checkField(field.of, item, [...path, index], context);
}

function checkRecord({ fields }: RecordField, value: unknown, path: ConfigPath, context: Context): void {
  if (!isRecord(value)) {
    mismatch(value, "a group of fields", path, context);
    return;
  }
  let unknown = 0;
  for (const [key, each] of Object.entries(value)) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (field === undefined) {
      unknown++;
      if (unknown <= UNKNOWN_AT_MOST) reportUnknown(key, fields, path, context);
    } else if (each !== null && each !== undefined) {
      const at = [...path, key];
      if (isTooNew(field.since, context)) reportTooNew(field.since, pathText(at), at, context);
      checkField(field, each, at, context);
    }
  }
  if (unknown > UNKNOWN_AT_MOST)
    context.report(
      path,
      `${unknown - UNKNOWN_AT_MOST} more fields here are none of Cloud Hypervisor's`,
      `it knows ${listed(fields)}`,
    );
  if (context.isFragment) return;
  for (const key in fields) {
    if (fields[key]?.required !== true) continue;
    const given = Object.hasOwn(value, key) ? value[key] : undefined;
    if (given === undefined || given === null) context.unread(path, `${pathText(path)} has no ${key}`, `add ${key}`);
  }
}

function reportUnknown(key: string, fields: Fields, path: ConfigPath, { report }: Context): void {
  const near = nearest(key, Object.keys(fields));
  report(
    [...path, key],
    `Cloud Hypervisor has no field ${pathText([...path, key])} and would ignore it`,
    near === null ? `here it knows ${listed(fields)}` : `did you mean ${near}?`,
  );
}

const isTooNew = (since: number | undefined, { major }: Context): since is number =>
  major !== null && since !== undefined && since > major;

function reportTooNew(since: number, what: string, path: ConfigPath, { major, report }: Context): void {
  report(
    path,
    `${what} came with version ${since}, and this is ${major}`,
    `remove it, or install Cloud Hypervisor ${since} or later on the node`,
  );
}

function checkScalar(field: Scalar, value: unknown, path: ConfigPath, context: Context): void {
  switch (field.type) {
    case "boolean":
      if (typeof value !== "boolean") mismatch(value, "true or false", path, context);
      break;
    case "text":
      if (typeof value !== "string") mismatch(value, "a text", path, context);
      else if (value.includes("\0")) context.unread(path, `${pathText(path)} contains a NUL`, "remove it");
      else if (field.oneOf !== undefined) checkOneOf(field.oneOf, value, path, context);
      break;
    case "integer":
      if (typeof value !== "number" || !Number.isInteger(value)) mismatch(value, "a whole number", path, context);
      else if (value < field.min || value > field.max)
        context.unread(path, `${pathText(path)} is ${value}`, `from ${field.min} to ${field.max}`);
  }
}

function checkOneOf(values: Readonly<Record<string, number>>, value: string, path: ConfigPath, context: Context): void {
  const since = Object.hasOwn(values, value) ? values[value] : undefined;
  if (since === undefined)
    context.unread(
      path,
      `${pathText(path)} cannot be ${JSON.stringify(value)}`,
      `one of ${Object.keys(values).join(", ")}`,
    );
  else if (isTooNew(since, context)) reportTooNew(since, `${pathText(path)}: ${value}`, path, context);
}

function mismatch(value: unknown, wanted: string, path: ConfigPath, { unread }: Context): void {
  unread(path, `${pathText(path)} is ${describe(value)} and must be ${wanted}`, `write ${wanted}`);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (isRecord(value)) return "a group of fields";
  if (typeof value === "string") return "a text";
  return String(value);
}

function listed(fields: Fields): string {
  const names = Object.keys(fields);
  return names.length <= 8 ? names.join(", ") : `${names.slice(0, 8).join(", ")}, …`;
}
