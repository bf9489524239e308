/**
 * Whether a record is, all the way down, what the agent takes it for. What is not is found when the agent starts, and costs
 * that one VM; found later, in the middle of a report, it would cost the node.
 *
 * Older records lack what came later, and newer ones may have more: only what is there and walked through is asked about.
 */
import { findAnswerError } from "../../wire/check-shape.ts";
import type { OperationKind } from "../../wire/operations.ts";

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;

/** Null: as it should be. Else a phrase that names the field. */
export function findShapeProblem(record: Readonly<Record<string, unknown>>): string | null {
  const wrong = Object.entries(shapeOf(record.state)).find(([key, isRight]) => !isRight(record[key]));
  if (wrong !== undefined) return `its field ${wrong[0]} is not what it should be`;
  return record.state === "present" ? findSpecProblem(record) : null;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function findSpecProblem({ spec, guest }: Readonly<Record<string, unknown>>): string | null {
  const problem = findAnswerError("vm-spec", spec);
  if (problem !== null) return `in its spec, ${problem}`;
  const booted = isObject(guest) ? findAnswerError("vm-spec", guest.bootedSpec) : null;
  return booted === null ? null : `in the spec that its guest was started with, ${booted}`;
}

const isText: Check = (value) => typeof value === "string";
const isBoolean: Check = (value) => typeof value === "boolean";
const isNumber: Check = (value) => Number.isFinite(value);
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isInstant: Check = (value) => typeof value === "string" && !Number.isNaN(Date.parse(value));
const oneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const orAbsent =
  (check: Check): Check =>
  (value) =>
    value === undefined || value === null || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const mapOf =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check);
const has =
  (shape: Shape): Check =>
  (value) =>
    isObject(value) && Object.entries(shape).every(([key, isRight]) => isRight(value[key]));

const isOrigin: Check = (value) => has({ kind: oneOf("image", "blank", "external") })(value);
const isError = has({ code: isText, message: isText, hint: orAbsent(isText) });
/** A kind that is added is missed here by the compiler. */
const KINDS: Readonly<Record<OperationKind, true>> = {
  create: true,
  update: true,
  boot: true,
  shutdown: true,
  reboot: true,
  pause: true,
  resume: true,
  "power-button": true,
  nmi: true,
  delete: true,
  purge: true,
  snapshot: true,
  restore: true,
  coredump: true,
  resize: true,
  attach: true,
  detach: true,
  "migrate-receive": true,
  "migrate-send": true,
  "expect-guest": true,
  migrate: true,
  "cancel-migration": true,
};
const isKind: Check = (value) => typeof value === "string" && Object.hasOwn(KINDS, value);

const isDeparture = has({
  role: oneOf("source"),
  stage: oneOf("sending", "given"),
  to: has({ node: isText, address: isText, fingerprint: orNull(isText) }),
  ticket: isText,
  since: isInstant,
  paused: isBoolean,
});
const isLeft = has({
  to: has({ node: isText, address: isText, fingerprint: orNull(isText) }),
  ticket: isText,
  since: isInstant,
  keeper: orNull(isText),
  disks: listOf(isText),
  bytes: isCount,
});
const isArrival = has({
  role: oneOf("destination"),
  stage: oneOf("expected", "arriving", "whole", "taken"),
  from: isText,
  ticket: isText,
  since: isInstant,
  expiresAt: isInstant,
  before: orNull(isObject),
});

const HEAD: Shape = {
  fleet: orNull(isText),
  generation: isCount,
  serial: isCount,
  ownDisks: mapOf(isOrigin),
  images: orAbsent(isObject),
  uuid: orAbsent(isText),
  instanceId: orAbsent(isText),
  hostPorts: orAbsent(
    listOf(has({ nic: isText, host: isText, hostPort: isCount, guestPort: isCount, protocol: oneOf("tcp", "udp") })),
  ),
  unfinished: orNull(
    has({ id: isText, kind: isKind, graceSeconds: orNull(isNumber), begunAt: isInstant, run: orAbsent(isText) }),
  ),
  completed: listOf(
    has({
      id: isText,
      kind: isKind,
      error: orNull(isError),
      detail: orAbsent(isObject),
      run: orAbsent(isText),
      at: orAbsent(isInstant),
    }),
  ),
};

const PRESENT: Shape = {
  ...HEAD,
  commit: orNull(isText),
  spec: isObject,
  specDigest: isText,
  appliedAt: isInstant,
  phase: oneOf("stopped", "running", "paused", "crashed"),
  endedBy: orAbsent(oneOf("operator", "guest", "failure")),
  reason: orAbsent(isText),
  ready: orAbsent(isBoolean),
  since: isInstant,
  drift: listOf(has({ path: isText })),
  guest: orNull(
    has({
      process: orNull(has({ pid: isCount, startTicks: isNumber, bootId: isText, unit: orAbsent(isText) })),
      hostBootId: isText,
      bootedSpec: isObject,
      logSizes: mapOf(isCount),
      handled: orAbsent(oneOf("power-button", "api")),
    }),
  ),
  lastEvent: orAbsent(
    has({ kind: isText, at: isInstant, message: isText, console: listOf(isText), log: listOf(isText) }),
  ),
  restart: orAbsent(has({ attempts: isCount, nextAt: orNull(isInstant), givenUp: isBoolean, hostBootId: isText })),
  migration: orAbsent(has({ role: oneOf("source", "destination"), since: isInstant, url: isText })),
  move: orAbsent((value) => isDeparture(value) || isArrival(value)),
  left: orAbsent((value) => isLeft(value)),
  calledOff: orAbsent((value) => listOf(isDeparture)(value)),
  stalled: orAbsent(isObject),
  owed: orAbsent(listOf(has({ path: isText, since: isInstant }))),
};

const TOMBSTONE: Shape = { ...HEAD, deletedAt: isInstant, retainUntil: isInstant, disks: listOf(isText) };

function shapeOf(state: unknown): Shape {
  if (state === "present") return PRESENT;
  return state === "tombstone" ? TOMBSTONE : { state: () => false };
}
