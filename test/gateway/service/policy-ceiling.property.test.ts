/** The ceiling: whatever a repository says, nothing is done by itself, or may be approved, beyond what the gateway's file allows. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { allows } from "../../../src/gateway/revision/judge.ts";
import type { PolicyCeiling } from "../../../src/gateway/service/gateway-config.ts";
import { holdBelow } from "../../../src/gateway/service/policy-ceiling.ts";
import { CHANGE_CLASSES, type ChangeClass } from "../../../src/model/change-class.ts";
import type { GatewayPolicy } from "../../../src/model/desired-state.ts";

const STRICTNESS = { auto: 0, ask: 1, forbidden: 2 } as const;
const HEALING = { off: 0, report: 1, revert: 2 } as const;

const anyClass = fc.constantFrom(...CHANGE_CLASSES);
const anyApprovals = fc.uniqueArray(fc.constantFrom(...CHANGE_CLASSES.filter((each) => each !== "none")));
const anyHealing = fc.constantFrom("revert", "report", "off");
const anyPolicy: fc.Arbitrary<GatewayPolicy> = fc.record({
  auto: anyClass,
  approve: fc.option(anyApprovals),
  suspend: fc.boolean(),
  healDrift: anyHealing,
});
const anyCeiling: fc.Arbitrary<PolicyCeiling> = fc.record(
  { auto: anyClass, approve: anyApprovals, suspend: fc.boolean(), healDrift: anyHealing },
  { requiredKeys: [] },
);
const limitOf = (ceiling: PolicyCeiling): GatewayPolicy => ({
  auto: "destroy",
  approve: null,
  suspend: false,
  healDrift: "revert",
  ...ceiling,
});

test("for each class the answer is the stricter of both, never more and never less", () => {
  fc.assert(
    fc.property(anyPolicy, anyCeiling, anyClass, (policy, ceiling, each: ChangeClass) => {
      const held = holdBelow(policy, ceiling).policy;
      const strictness = (by: GatewayPolicy) => STRICTNESS[allows(by, each)];
      expect(strictness(held)).toBe(Math.max(strictness(policy), strictness(limitOf(ceiling))));
      expect(HEALING[held.healDrift]).toBe(Math.min(HEALING[policy.healDrift], HEALING[limitOf(ceiling).healDrift]));
      expect(held.suspend).toBe(policy.suspend || limitOf(ceiling).suspend);
    }),
  );
});

test("it is said exactly when something was taken, and taking it twice takes nothing more", () => {
  fc.assert(
    fc.property(anyPolicy, anyCeiling, (policy, ceiling) => {
      const held = holdBelow(policy, ceiling);
      const isSame =
        CHANGE_CLASSES.every((each) => allows(held.policy, each) === allows(policy, each)) &&
        held.policy.healDrift === policy.healDrift &&
        held.policy.suspend === policy.suspend;
      expect(held.note === null).toBe(isSame);
      expect(holdBelow(held.policy, ceiling)).toEqual({ policy: held.policy, note: null });
    }),
  );
});

test("what was taken is said in words", () => {
  const policy: GatewayPolicy = { auto: "destroy", approve: null, suspend: false, healDrift: "revert" };
  expect(holdBelow(policy, { auto: "reboot", approve: ["replace"], healDrift: "report" }).note).toBe(
    "held below the gateway's ceiling: replace waits for approval, destroy is refused, drift is left to report",
  );
  expect(holdBelow(policy, null)).toEqual({ policy, note: null });
});
