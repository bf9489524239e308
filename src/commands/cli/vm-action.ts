/** One imperative act on one VM: found, asked for, waited for, told honestly. Shared by `vm boot`, `vm shutdown` and their kin. */
import { randomUUID } from "node:crypto";
import { Args, Flags } from "@oclif/core";
import { fromErrorBody } from "../../model/errors.ts";
import { type NodeName, type VmName, vmName } from "../../model/names.ts";
import { systemClock } from "../../platform/clock.ts";
import type { VmAction } from "../../report/vm-action-text.ts";
import { describeQueue } from "../../report/waiting-text.ts";
import type { FoundVm } from "../../turn/find-vm.ts";
import type { Reached } from "../../turn/reach-nodes.ts";
import type { OperationArgs, OperationResult } from "../../wire/operations.ts";
import { type AgentFlags, agentFlags, type FleetFlags, fleetFlags, toAccess, toLocation } from "./flags.ts";
import { parseMilliseconds } from "./parse-quantity.ts";
import { showWaiting } from "./screen/show-waiting.ts";
import { noteLine } from "./screen/terminal.ts";

export const vmArgs = { vm: Args.string({ description: "name of the VM", required: true }) };

export const nodesFlags = {
  agent: Flags.string({
    summary: "ask this agent alone, without manifests",
    helpValue: "URL",
    env: "ODOROBO_AGENT",
    exclusive: ["fleet", "repo", "node"],
    helpGroup: "SOURCE",
  }),
  node: Flags.string({ summary: "ask this node of the fleet alone", helpValue: "NAME", helpGroup: "SOURCE" }),
  ...fleetFlags,
  ...agentFlags,
};

export const graceFlag = {
  grace: Flags.string({
    summary: "how long the guest may take to power off before it is cut off; 0s: at once (default: its manifest's)",
    helpValue: "90s",
  }),
};

/** Null: what the VM's spec says. */
export const toGraceSeconds = (grace: string | undefined): number | null =>
  grace === undefined ? null : Math.ceil(parseMilliseconds(grace, "--grace") / 1_000);

export interface NodesFlags extends FleetFlags, AgentFlags {
  readonly agent?: string | undefined;
  readonly node?: string | undefined;
}

export async function reach(flags: NodesFlags, signal: AbortSignal): Promise<Reached> {
  const { reachNodes } = await import("../../turn/reach-nodes.ts");
  return await reachNodes(
    {
      agent: flags.agent ?? null,
      location: toLocation(flags),
      node: flags.node ?? null,
      access: toAccess(flags),
      clock: systemClock,
    },
    signal,
  );
}

interface OperateRequest {
  readonly operation: OperationArgs;
  /** While one waits: `shutting down`. */
  readonly doing: string;
  readonly signal: AbortSignal;
}

export interface VmActionRequest extends Omit<OperateRequest, "operation"> {
  readonly vm: string;
  readonly flags: NodesFlags;
  readonly operation: OperationArgs | ((found: FoundVm) => OperationArgs);
  /** Asked once the VM is found; what it rejects with is the end of it. */
  readonly confirm?: (found: FoundVm, reached: Reached) => Promise<void>;
}

/** Rejects with what the agent answered when the operation failed. */
export async function actOnVm(request: VmActionRequest): Promise<VmAction> {
  const { findVm } = await import("../../turn/find-vm.ts");
  const name = vmName(request.vm);
  await using reached = await reach(request.flags, request.signal);
  const found = findVm(name, reached.observed);
  await request.confirm?.(found, reached);
  const { doing, signal } = request;
  const operation = typeof request.operation === "function" ? request.operation(found) : request.operation;
  const begun = systemClock.monotonicMs();
  const result = await operate(reached, found.node, name, { operation, doing, signal });
  const milliseconds = systemClock.monotonicMs() - begun;
  return { before: found.vm, node: found.node, address: reached.agents.of(found.node).address, result, milliseconds };
}

/** Asks the node's agent and waits. Rejects with what it answered when the operation failed. */
export async function operate(
  reached: Reached,
  node: NodeName,
  vm: VmName,
  { operation, doing, signal }: OperateRequest,
): Promise<OperationResult> {
  const seen = reached.observed.nodes.find((each) => each.name === node);
  if (seen?.reach === "answered") {
    const report = seen.report.vms.find(({ name }) => name === vm);
    const queue = report === undefined ? null : describeQueue(report, seen.report.unfinished, operation.kind);
    if (queue !== null) noteLine(queue);
  }
  using _waiting = showWaiting(`${doing} ${vm} on ${node}`, process.stderr);
  const result = await reached.agents.of(node).operate(vm, { id: randomUUID(), expect: null, ...operation }, signal);
  if (result.error !== null) throw fromErrorBody(result.error);
  return result;
}
