/**
 * Whether a node has the files and bridges that a VM needs, from what its agent answered. What nobody answered is unknown, and stops nothing.
 *
 *   turn/look-around.ts (asks) → [look-ahead.ts] → place-vms.ts, make-plan.ts, check-plan.ts
 */
import { bootNeeds, type LookQuestion, type Looks, type Need, questionKey } from "../model/boot/boot-needs.ts";
import type { Action, Blocked, Change } from "../model/changes.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { NodeReport, ObservedState } from "../model/observed-state.ts";
import { remotePath } from "../model/remote-image.ts";
import type { VmSpec } from "../model/vm-spec.ts";

export const looksByNode = (observed: ObservedState): ReadonlyMap<NodeName, Looks> =>
  new Map(observed.nodes.flatMap((node) => (node.reach === "answered" && node.looks ? [[node.name, node.looks]] : [])));

/** Stand-ins open nothing. */
export const homeNeeds = (spec: VmSpec): Need[] => (spec.hypervisor === "noop" ? [] : bootNeeds(spec));

/** What a VM needs for this, of its node. `made`: disks that stand already, whatever their image has become; their agent watches that. */
export function needsFor(
  { action, class: changeClass, reasons }: Pick<Change, "action" | "class" | "reasons">,
  spec: VmSpec,
  made: readonly string[],
): Need[] {
  if (NEEDS_NOTHING.has(action) || changeClass === "metadata") return [];
  const needs = homeNeeds(spec).filter(
    ({ question, path }) =>
      (question.kind !== "image" && question.kind !== "fetch") || !made.some((name) => path === `disks.${name}`),
  );
  // Who listens for one guest may take its socket away once that is connected, and make it anew when the guest lets go.
  const fresh =
    action === "reboot" || action === "update" ? needs.filter(({ question }) => !isSocket(question)) : needs;
  if (action !== "update") return fresh;
  const changed = new Set(reasons.map(({ field }) => field));
  return fresh.filter(({ path }) => path !== null && changed.has(path));
}

const isSocket = (question: LookQuestion): boolean => question.kind === "node" && question.socket;

const NEEDS_NOTHING: ReadonlySet<Action> = new Set(["stop", "destroy", "migrate"]);

/** Null: nothing that is known. */
export function whyLacking(spec: VmSpec, needs: readonly Need[], looks: Looks | undefined): string | null {
  if (looks === undefined) return null;
  for (const { question, what } of needs) {
    const answer = looks[questionKey(question)];
    if (answer === undefined) continue;
    if (!answer.found) return `lacks ${what}: ${answer.problem}`;
    if ((question.kind !== "image" && question.kind !== "fetch") || answer.sizeMiB === undefined) continue;
    const path = question.kind === "image" ? question.path : remotePath(question.image);
    const small = spec.disks.find(
      ({ origin }) => origin.kind === "image" && origin.path === path && origin.sizeMiB < (answer.sizeMiB as number),
    );
    if (small !== undefined)
      return `has an image of ${answer.sizeMiB} MiB for disk ${small.name}, more than its size: ${path}`;
  }
  return null;
}

/** Null: nobody has the ports that it names. Whoever has one, of whatever fleet, has it while it runs. */
export function whyPortTaken(name: VmName, spec: VmSpec, report: NodeReport | undefined): string | null {
  const open = (report?.vms ?? []).filter((vm) => vm.name !== name);
  for (const { forwards = [] } of spec.nics)
    for (const { hostPort, protocol, host } of forwards) {
      const owner = open.find((vm) =>
        (vm.forwards ?? []).some(
          (each) =>
            each.hostPort === hostPort &&
            each.protocol === protocol &&
            (each.host === host || each.host === "0.0.0.0" || host === "0.0.0.0"),
        ),
      );
      if (owner !== undefined) return `has no port ${hostPort} at ${host} left: it leads to ${owner.name}`;
    }
  return null;
}

export const lackingAt = (name: Blocked["name"], node: NodeName, why: string, source: Blocked["source"]): Blocked => ({
  name,
  code: "UNSUPPORTED",
  message: `${name} is left as it is, because ${node} ${why}`,
  hint: `put it there on ${node}, or correct the manifest`,
  source,
});
