/**
 * Plans made by hand, step by step, that can be carried out, saved and read back: for tests of the order and the limits of
 * apply, where `makePlan` would decide too much.
 */

import { ACTIONS, type SeenVm } from "../../src/model/changes.ts";
import { digestOf } from "../../src/model/digest.ts";
import { byName, instant, nodeName, type VmName, vmName } from "../../src/model/names.ts";
import type { VmSpec } from "../../src/model/vm-spec.ts";
import type { Plan, PlanSummary } from "../../src/plan/plan-document.ts";
import { planIdOf } from "../../src/plan/plan-id.ts";
import type { Step, VmStepKind } from "../../src/schedule/step.ts";
import { aSpec, NOON } from "./a-fleet.ts";

interface StepInput {
  readonly after?: readonly string[];
  readonly generation?: number;
  readonly expect?: Step["expect"];
  readonly spec?: VmSpec;
  /** Milliseconds after noon. */
  readonly untilMs?: number;
}

export class RunnablePlan {
  readonly #steps: Step[] = [];
  readonly #specs = new Map<VmName, VmSpec>();
  readonly #seen = new Map<VmName, SeenVm | null>();
  #over: Partial<Plan> = {};

  /** Its id is `createVm-web-1`; `after` are such ids. Creates and updates get a spec. */
  step(kind: Exclude<VmStepKind, "migrateVm">, vm: string, on: string, input: StepInput = {}): this {
    const { after = [], generation = 1, expect = null, spec = aSpec(), untilMs } = input;
    const node = nodeName(on);
    const name = vmName(vm);
    const head = {
      id: `${kind}-${vm}`,
      vm: name,
      node,
      after: [...after].sort(byName),
      class: "live",
      expect,
      ...(untilMs === undefined ? {} : { until: instant(new Date(Date.parse(NOON) + untilMs).toISOString()) }),
    } as const;
    const puts = kind === "createVm" || kind === "updateVm";
    this.#steps.push(puts ? { ...head, kind, generation } : { ...head, kind });
    if (puts) this.#specs.set(name, spec);
    if (!this.#seen.has(name)) this.#seen.set(name, expect === null ? null : { node, ...expect });
    return this;
  }

  with(over: Partial<Plan>): this {
    this.#over = { ...this.#over, ...over };
    return this;
  }

  build(): Plan {
    const nothing = Object.fromEntries(ACTIONS.map((action) => [action, 0]));
    const plan: Omit<Plan, "id"> = {
      kind: "Plan",
      version: 1,
      fleet: "test",
      base: {
        source: "./fleet",
        commit: "1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d",
        desiredDigest: digestOf("desired"),
        observedDigest: digestOf("observed"),
        observedAt: NOON,
        selection: null,
        vms: Object.fromEntries(this.#seen),
      },
      summary: { ...nothing, unchanged: 0, unknown: 0, blocked: 0 } as PlanSummary,
      changes: [],
      steps: this.#steps,
      unknown: [],
      blocked: [],
      refusals: [],
      complete: true,
      applyable: this.#steps.length > 0,
      specs: Object.fromEntries(this.#specs),
      ...this.#over,
    };
    return { ...plan, id: planIdOf(plan) };
  }
}

export const aRunnablePlan = (): RunnablePlan => new RunnablePlan();
