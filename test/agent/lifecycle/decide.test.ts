import fc from "fast-check";
import { expect, test } from "vitest";
import { decide } from "../../../src/agent/lifecycle/operations/decide.ts";
import type { Decision, Request } from "../../../src/agent/lifecycle/parts/decision.ts";
import type { StoredVm, TombstoneRecord, VmRecord } from "../../../src/agent/store/vm-record.ts";
import { AWAITS_CONFIG } from "../../../src/model/awaits-config.ts";
import { digestOf } from "../../../src/model/digest.ts";
import { instant, vmName } from "../../../src/model/names.ts";
import type { OperationArgs, OperationRequest } from "../../../src/wire/operations.ts";
import { aPut, aWireSpec } from "../../support/wire-builders.ts";

const NAME = vmName("web-1");
const NOON = instant("2026-01-01T12:00:00.000Z");

const aVm = (over: Partial<VmRecord> = {}): VmRecord => {
  const spec = over.spec ?? aWireSpec();
  return {
    format: 1,
    state: "present",
    name: NAME,
    fleet: "shop",
    commit: "0123456789abcdef",
    generation: 7,
    serial: 20,
    spec,
    specDigest: digestOf(spec),
    appliedAt: NOON,
    phase: "running",
    endedBy: null,
    reason: null,
    ready: null,
    since: NOON,
    drift: [],
    guest: null,
    ownDisks: {},
    unfinished: null,
    completed: [],
    ...over,
  };
};

const aTombstone = (over: Partial<TombstoneRecord> = {}): TombstoneRecord => ({
  format: 1,
  state: "tombstone",
  name: NAME,
  fleet: "shop",
  generation: 7,
  serial: 20,
  ownDisks: {},
  unfinished: null,
  completed: [],
  deletedAt: NOON,
  retainUntil: NOON,
  disks: [],
  ...over,
});

const put = (over: Partial<Parameters<typeof aPut>[0]> = {}): Request => ({
  kind: "put",
  ...aPut({ generation: 8, ...over }),
});
const asked = (args: OperationArgs, over: Partial<OperationRequest> = {}): Request =>
  ({ id: "op-1", expect: null, ...args, ...over }) as Request;
const word = (decision: Decision): string =>
  decision.decision === "refuse"
    ? decision.code
    : `${decision.decision}${"kind" in decision ? ` ${decision.kind}` : ""}`;

const BOOT: OperationArgs = { kind: "boot" };
const SHUTDOWN: OperationArgs = { kind: "shutdown", graceSeconds: null };
const REBOOT: OperationArgs = { kind: "reboot", graceSeconds: null };
const PAUSE: OperationArgs = { kind: "pause" };
const RESUME: OperationArgs = { kind: "resume" };
const DELETE: OperationArgs = { kind: "delete", graceSeconds: null };
const PURGE: OperationArgs = { kind: "purge" };

test.each([
  // what          stopped          crashed          running          paused           tombstone      absent
  [BOOT, ["act boot", "act boot", "no-op boot", "WRONG_PHASE", "NOT_FOUND", "NOT_FOUND"]],
  [SHUTDOWN, ["no-op shutdown", "no-op shutdown", "act shutdown", "act shutdown", "NOT_FOUND", "NOT_FOUND"]],
  [REBOOT, ["WRONG_PHASE", "WRONG_PHASE", "act reboot", "act reboot", "NOT_FOUND", "NOT_FOUND"]],
  [PAUSE, ["WRONG_PHASE", "WRONG_PHASE", "act pause", "no-op pause", "NOT_FOUND", "NOT_FOUND"]],
  [RESUME, ["WRONG_PHASE", "WRONG_PHASE", "no-op resume", "act resume", "NOT_FOUND", "NOT_FOUND"]],
  [DELETE, ["act delete", "act delete", "act delete", "act delete", "no-op delete", "NOT_FOUND"]],
  [PURGE, ["WRONG_PHASE", "WRONG_PHASE", "WRONG_PHASE", "WRONG_PHASE", "act purge", "NOT_FOUND"]],
] as const)("$kind in every state", (args, expected) => {
  const states: (StoredVm | null)[] = [
    aVm({ phase: "stopped" }),
    aVm({ phase: "crashed" }),
    aVm({ phase: "running" }),
    aVm({ phase: "paused" }),
    aTombstone(),
    null,
  ];
  expect(states.map((state) => word(decide(NAME, asked(args), state)))).toEqual(expected);
});

test("a PUT wins with a higher generation only, and its refusal says who holds the VM", () => {
  expect(word(decide(NAME, put(), null))).toBe("act create");
  expect(word(decide(NAME, put(), aVm()))).toBe("act update");
  expect(word(decide(NAME, put({ generation: 7 }), aVm()))).toBe("no-op update");
  const other = decide(NAME, put({ generation: 7, spec: aWireSpec({ protect: true }) }), aVm());
  expect(other).toMatchObject({
    code: "STALE_GENERATION",
    message: "web-1 has another spec of generation 7 already (fleet shop, commit 0123456789ab)",
  });
  const older = decide(NAME, put({ generation: 6 }), aVm());
  expect(older).toMatchObject({
    code: "STALE_GENERATION",
    message: "web-1 is at generation 7 (fleet shop, commit 0123456789ab), the request has 6",
  });
});

test("a deleted VM comes back only above the generation it was deleted at", () => {
  expect(word(decide(NAME, put({ generation: 7 }), aTombstone()))).toBe("STALE_GENERATION");
  expect(word(decide(NAME, put({ generation: 8 }), aTombstone()))).toBe("act create");
});

test("what the caller had seen must still be so", () => {
  const seen = { generation: 7, serial: 20 };
  expect(word(decide(NAME, asked(SHUTDOWN, { expect: seen }), aVm()))).toBe("act shutdown");
  expect(decide(NAME, asked(SHUTDOWN, { expect: { ...seen, serial: 19 } }), aVm())).toMatchObject({
    code: "STALE_SERIAL",
    message: `web-1 is at serial 20 (running since ${NOON}), you had seen 19`,
  });
  expect(word(decide(NAME, asked(SHUTDOWN, { expect: { ...seen, generation: 6 } }), aVm()))).toBe("STALE_GENERATION");
  expect(word(decide(NAME, put({ expect: { ...seen, serial: 19 } }), aVm()))).toBe("STALE_SERIAL");
  expect(word(decide(NAME, put({ expect: seen }), null))).toBe("STALE_GENERATION");
  expect(word(decide(NAME, asked(PURGE, { expect: { ...seen, serial: 3 } }), aTombstone()))).toBe("STALE_SERIAL");
});

test("what is so already is no conflict, however old the caller's view", () => {
  const old = { generation: 3, serial: 1 };
  expect(word(decide(NAME, asked(BOOT, { expect: old }), aVm()))).toBe("no-op boot");
});

test("a fleet touches neither another fleet's VM nor one made by hand", () => {
  const others = [
    aVm({ fleet: "bank" }),
    aTombstone({ fleet: "bank" }),
    aVm({ fleet: null }),
    aTombstone({ fleet: null }),
  ];
  for (const state of others) {
    expect(word(decide(NAME, put(), state))).toBe("FLEET_MISMATCH");
    expect(word(decide(NAME, asked(DELETE, { fleet: "shop" }), state))).toBe("FLEET_MISMATCH");
  }
  expect(decide(NAME, asked(DELETE, { fleet: "shop" }), aVm({ fleet: "bank" }))).toMatchObject({
    message: "web-1 on this node belongs to fleet bank (present), not shop",
  });
});

test("one made by hand is taken over by who says which one it has seen", () => {
  const seen = { generation: 7, serial: 20 };
  expect(word(decide(NAME, put({ expect: seen }), aVm({ fleet: null })))).toBe("act update");
  expect(word(decide(NAME, put({ expect: { ...seen, serial: 1 } }), aVm({ fleet: null })))).toBe("STALE_SERIAL");
  expect(word(decide(NAME, put({ expect: seen }), aVm({ fleet: "bank" })))).toBe("FLEET_MISMATCH");
});

test("a person may touch anything, but not what is protected", () => {
  expect(word(decide(NAME, asked(DELETE), aVm({ fleet: "bank" })))).toBe("act delete");
  expect(word(decide(NAME, asked(DELETE), aVm({ spec: aWireSpec({ protect: true }) })))).toBe("PROTECTED");
});

test("an id is done once; the same id for another act is a mistake", () => {
  const vm = aVm({ phase: "stopped", completed: [{ id: "op-1", kind: "shutdown", error: null }] });
  expect(decide(NAME, asked(SHUTDOWN), vm)).toEqual({ decision: "remembered", operation: vm.completed[0] });
  expect(word(decide(NAME, asked(BOOT), vm))).toBe("BAD_REQUEST");
});

test("nothing is done to a VM whose record cannot be read", () => {
  const state = { state: "unreadable", name: NAME, problem: "it is not JSON" } as const;
  for (const request of [put(), asked(BOOT), asked(DELETE), asked(PURGE)])
    expect(word(decide(NAME, request, state))).toBe("STORAGE_FAILED");
});

const anyArgs = fc.constantFrom(BOOT, SHUTDOWN, REBOOT, PAUSE, RESUME, DELETE, PURGE);
const anyExpect = fc.option(
  fc.record({ generation: fc.integer({ min: 1, max: 5 }), serial: fc.integer({ min: 1, max: 5 }) }),
);
const anyFleet = fc.constantFrom("shop", "bank", null);
const anyState: fc.Arbitrary<StoredVm | null> = fc
  .record({
    what: fc.constantFrom("absent", "tombstone", "stopped", "crashed", "running", "paused"),
    fleet: anyFleet,
    generation: fc.integer({ min: 1, max: 5 }),
    serial: fc.integer({ min: 1, max: 5 }),
    protect: fc.boolean(),
  })
  .map(({ what, protect, ...head }) => {
    if (what === "absent") return null;
    if (what === "tombstone") return aTombstone(head);
    return aVm({ ...head, phase: what as VmRecord["phase"], spec: aWireSpec({ protect }) });
  });
const anyRequest: fc.Arbitrary<Request> = fc.oneof(
  fc
    .record({ generation: fc.integer({ min: 1, max: 5 }), expect: anyExpect, fleet: anyFleet, protect: fc.boolean() })
    .map(({ protect, ...over }) => put({ ...over, spec: aWireSpec({ protect }) })),
  fc.record({ args: anyArgs, expect: anyExpect, fleet: anyFleet }).map(({ args, ...over }) => asked(args, over)),
);

test("property: who acts is entitled to, on what it saw, and never on what is older", () => {
  fc.assert(
    fc.property(anyRequest, anyState, (request, state) => {
      const decision = decide(NAME, request, state);
      expect(decide(NAME, request, state)).toEqual(decision);
      if (decision.decision !== "act" || state === null) return;
      if (request.fleet && state.fleet !== null) expect(state.fleet).toBe(request.fleet);
      if (request.expect !== null) {
        expect(state.generation).toBe(request.expect.generation);
        expect(state.serial).toBe(request.expect.serial);
      }
      if (request.kind === "put") expect(request.generation).toBeGreaterThan(state.generation);
      if (request.kind === "boot") expect(["stopped", "crashed"]).toContain((state as VmRecord).phase);
      if (request.kind === "delete") expect((state as VmRecord).spec.protect).toBe(false);
      if (request.kind === "purge") expect(state.state).toBe("tombstone");
    }),
    { numRuns: 2000 },
  );
});

test("property: a refusal says what and what next", () => {
  fc.assert(
    fc.property(anyRequest, anyState, (request, state) => {
      const decision = decide(NAME, request, state);
      if (decision.decision !== "refuse") return;
      expect(decision.message).toContain("web-1");
      expect(decision.hint.length).toBeGreaterThan(10);
    }),
  );
});

test("a VM without a configuration boots nothing, and takes in what others send", () => {
  const empty = aVm({ phase: "stopped", spec: { ...aWireSpec(), annotations: { [AWAITS_CONFIG]: "true" } } });
  expect(word(decide(NAME, asked(BOOT), empty))).toBe("WRONG_PHASE");
  expect(word(decide(NAME, asked({ kind: "restore", folder: "/srv/a" }), empty))).toBe("WRONG_PHASE");
  expect(word(decide(NAME, asked({ kind: "migrate-receive", url: null }), empty))).toBe("act migrate-receive");
});
