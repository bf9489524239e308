/** What `node info` prints: all that one agent says of itself and its server (`schemas/node-info.schema.json`). */
import type { DesiredNode } from "../model/desired-state.ts";
import { byName, type Instant } from "../model/names.ts";
import type { HypervisorReport, JournalEntry, ObservedNode, UnreadableVm } from "../model/observed-state.ts";
import { type NodeStatus, toNodeStatus } from "./status-document.ts";
import { marksOf } from "./status-text.ts";
import { plural } from "./words/names.ts";
import { paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";
import { showRoughMiB } from "./words/values.ts";

export interface NodeInfo {
  readonly kind: "NodeInfo";
  readonly version: 1;
  readonly observedAt: Instant;
  readonly node: NodeStatus;
  /** Null: it did not answer; then the lists are empty. */
  readonly agent: AgentIdentity | null;
  readonly hypervisors: readonly HypervisorReport[];
  /** VMs by phase: `{ "running": 3 }`. */
  readonly phases: Readonly<Record<string, number>>;
  /** Operations that were begun and are not known to have ended. */
  readonly unfinished: readonly JournalEntry[];
  readonly unreadable: readonly UnreadableVm[];
  /** What applies have told it of the fleets it belongs to. */
  readonly whereabouts: readonly { readonly fleet: string; readonly at: Instant; readonly vms: number }[];
}

export interface AgentIdentity {
  readonly id: string;
  readonly version: string;
  readonly bootId: string;
  readonly startedAt: Instant;
  /** Who keeps the guests' processes; null: an agent that does not tell. */
  readonly supervisor: string | null;
}

export function toNodeInfo(node: ObservedNode, desired: DesiredNode | undefined, observedAt: Instant): NodeInfo {
  const report = node.reach === "answered" ? node.report : null;
  const phases: Record<string, number> = {};
  for (const { phase } of report?.vms ?? []) phases[phase] = (phases[phase] ?? 0) + 1;
  return {
    kind: "NodeInfo",
    version: 1,
    observedAt,
    node: toNodeStatus(node, desired, observedAt),
    agent:
      report === null
        ? null
        : {
            id: report.node.id,
            version: report.node.agentVersion,
            bootId: report.node.bootId,
            startedAt: report.node.startedAt,
            supervisor: report.supervisor ?? null,
          },
    hypervisors: report?.hypervisors ?? [],
    phases,
    unfinished: report?.unfinished ?? [],
    unreadable: report?.unreadable ?? [],
    whereabouts: (report?.whereabouts ?? []).map(({ fleet, at, homes }) => ({
      fleet,
      at,
      vms: Object.keys(homes).length,
    })),
  };
}

export function renderNodeInfo(info: NodeInfo, options: { readonly colour: boolean }): string {
  const paint = paintWith(options.colour);
  const rows = rowsOf(info);
  const width = rows.reduce((most, [key]) => Math.max(most, safeLine(key).length), 0);
  return rows.map(([key, value]) => `${paint("dim", safeLine(key).padEnd(width))}  ${safeLine(value)}`).join("\n");
}

type Row = readonly [key: string, value: string];

function rowsOf({ node, agent, hypervisors, phases, unfinished, unreadable, whereabouts }: NodeInfo): readonly Row[] {
  const state = [node.reach === "answered" ? "up" : `silent: ${node.error}`, ...marksOf(node)].join(", ");
  const head: readonly Row[] = [
    ["name", node.name],
    ...(node.address === "" ? [] : [["address", node.address] as const]),
    ["state", state],
  ];
  if (agent === null || node.capacity === null) return head;
  const counts = Object.entries(phases).sort(([a], [b]) => byName(a, b));
  return [
    ...head,
    ["agent", `version ${agent.version}, up since ${agent.startedAt}`],
    ["id", agent.id],
    ["boot", agent.bootId],
    ...(agent.supervisor === null ? [] : [["supervisor", agent.supervisor] as const]),
    ["cpus", `${node.used?.cpus ?? 0} of ${node.capacity.cpus} in use`],
    ["memory", `${showRoughMiB(node.used?.memoryMiB ?? 0)} of ${showRoughMiB(node.capacity.memoryMiB)} in use`],
    ["VMs", counts.length === 0 ? "none" : counts.map(([phase, count]) => `${count} ${phase}`).join(", ")],
    ...(node.tombstones ? [["deleted", `${plural(node.tombstones, "VM")} whose disks are kept`] as const] : []),
    ...hypervisors.flatMap(hypervisorRows),
    ...unfinished.map(
      (entry): Row => ["unfinished", `${entry.kind} of ${entry.vm}, begun at ${entry.begunAt}${ofRun(entry)}`],
    ),
    ...unreadable.map((vm): Row => ["unreadable", `${vm.name}: ${vm.problem}`]),
    ...whereabouts.map(({ fleet, at, vms }): Row => [`fleet ${fleet}`, `${plural(vms, "VM")} as told at ${at}`]),
  ];
}

function hypervisorRows({ kind, version, accelerator, untried, capabilities }: HypervisorReport): readonly Row[] {
  const { live, pause, migrate, moves, bootKinds, diskKinds, nicKinds, cloudInit } = capabilities;
  const can = Object.entries(live).flatMap(([change, isLive]) => (isLive ? [LIVE_WORDS[change] ?? change] : []));
  const abilities = [
    ...(pause ? ["pause"] : []),
    ...(moves?.live || migrate ? ["migrate"] : []),
    ...(cloudInit ? ["cloud-init"] : []),
  ];
  const name = kind;
  return [
    [
      name,
      [
        version,
        ...(untried ? ["newer than any that odorobo was tried with"] : []),
        ...(accelerator === undefined ? [] : [accelerator]),
        ...abilities,
      ].join(", "),
    ],
    ["  live", can.length === 0 ? "nothing" : can.join(", ")],
    ["  takes", `boot by ${bootKinds.join(", ")}; disks ${diskKinds.join(", ")}; NICs ${nicKinds.join(", ")}`],
  ];
}

const LIVE_WORDS: Readonly<Record<string, string>> = {
  cpusUp: "more cpus",
  cpusDown: "fewer cpus",
  memoryUp: "more memory",
  memoryDown: "less memory",
  diskGrow: "larger disks",
  diskAttach: "attach disks",
  diskDetach: "detach disks",
  nicAttach: "attach NICs",
  nicDetach: "detach NICs",
};

const ofRun = ({ id, run }: JournalEntry): string => (run === undefined ? "" : `, the step ${id} of the run ${run}`);
