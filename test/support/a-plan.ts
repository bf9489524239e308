/** Builds plan documents as `makePlan` would make them, for tests of what reads plans: views and apply. */
import type { ChangeClass } from "../../src/model/change-class.ts";
import { ACTIONS, type Action, type Blocked, type Change, type Reason, type Unknown } from "../../src/model/changes.ts";
import { digest, instant, nodeName, type VmName, vmName } from "../../src/model/names.ts";
import type { VmSpec } from "../../src/model/vm-spec.ts";
import type { Plan, PlanSummary, Refusal } from "../../src/plan/plan-document.ts";
import type { Step, VmStepKind } from "../../src/schedule/step.ts";

type ReasonInput = Partial<Omit<Reason, "source">> & { readonly text: string; readonly at?: string };

export class PlanBuilder {
  #changes: Change[] = [];
  #steps: Step[] = [];
  #unknown: Unknown[] = [];
  #blocked: Blocked[] = [];
  #refusals: Refusal[] = [];
  #unchanged = 0;
  #selection: Plan["base"]["selection"] = null;

  change(name: string, action: Action, changeClass: ChangeClass, on: string, ...reasons: ReasonInput[]): this {
    this.#changes.push({
      kind: "VirtualMachine",
      name: vmName(name),
      node: nodeName(on),
      fromNode: null,
      action,
      class: changeClass,
      reasons: reasons.map(({ at, ...reason }) => ({
        because: "git",
        field: null,
        from: null,
        to: null,
        class: changeClass,
        ...reason,
        source: at === undefined ? null : toSource(at),
      })),
    });
    return this;
  }

  /** A step whose id is its sentence: `createVm web-1`. `after` are such ids. */
  step(kind: Exclude<VmStepKind, "migrateVm">, vm: string, on: string, ...after: string[]): this {
    const head = {
      id: `${kind} ${vm}`,
      vm: vmName(vm),
      node: nodeName(on),
      after: after.sort(),
      class: "live",
      expect: null,
    } as const;
    this.#steps.push(kind === "createVm" || kind === "updateVm" ? { ...head, kind, generation: 1 } : { ...head, kind });
    return this;
  }

  /** A step whose id is `migrateVm web-1`. */
  migrate(vm: string, from: string, to: string, ...after: string[]): this {
    const head = {
      id: `migrateVm ${vm}`,
      vm: vmName(vm),
      node: nodeName(to),
      after: after.sort(),
      expect: null,
    } as const;
    this.#steps.push({ ...head, kind: "migrateVm", fromNode: nodeName(from), class: "migrate" });
    return this;
  }

  silentNode(name: string, because: string, ...vms: string[]): this {
    this.#unknown.push({ kind: "Node", name, node: null, because });
    for (const vm of vms)
      this.#unknown.push({
        kind: "VirtualMachine",
        name: vm,
        node: null,
        because: `may be on ${name}, which does not answer`,
      });
    return this;
  }

  blocked(name: string, code: Blocked["code"], message: string, hint: string): this {
    this.#blocked.push({ name: vmName(name), code, message, hint, source: null });
    return this;
  }

  refused(code: Refusal["code"], message: string, hint: string): this {
    this.#refusals.push({ code, message, hint });
    return this;
  }

  unchanged(count: number): this {
    this.#unchanged = count;
    return this;
  }

  only(...targets: string[]): this {
    this.#selection = { targets, excludes: [] };
    return this;
  }

  build(): Plan {
    const count = (action: Action) => this.#changes.filter((change) => change.action === action).length;
    const actions = Object.fromEntries(ACTIONS.map((action) => [action, count(action)])) as Record<Action, number>;
    const summary: PlanSummary = {
      ...actions,
      unchanged: this.#unchanged,
      unknown: this.#unknown.filter((each) => each.kind === "VirtualMachine").length,
      blocked: this.#blocked.length,
    };
    return {
      kind: "Plan",
      version: 1,
      id: "0123456789abcdef",
      fleet: "demo",
      base: {
        source: "./fleet",
        commit: "1a2b3c4d5e6f7a8b9c0d",
        desiredDigest: digest("d"),
        observedDigest: digest("o"),
        observedAt: instant("2026-01-02T03:04:05.000Z"),
        selection: this.#selection,
        vms: {} as Plan["base"]["vms"],
      },
      summary,
      changes: this.#changes,
      steps: this.#steps,
      unknown: this.#unknown,
      blocked: this.#blocked,
      refusals: this.#refusals,
      complete: this.#unknown.length === 0 && this.#blocked.length === 0 && this.#selection === null,
      applyable: this.#steps.length > 0 && this.#refusals.length === 0,
      specs: {} as Record<VmName, VmSpec>,
    };
  }
}

export const aPlan = (): PlanBuilder => new PlanBuilder();

function toSource(at: string): { file: string; line: number; column: number } {
  const [file = "", line = "1"] = at.split(":");
  return { file, line: Number(line), column: 1 };
}
