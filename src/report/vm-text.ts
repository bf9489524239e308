/** `vm info`: what an agent knows of one VM, on a screen. */
import { awaitsConfig } from "../model/awaits-config.ts";
import type {
  ChangeRule,
  GuestEvent,
  ImageBelow,
  MigrationState,
  OwedChange,
  RestartState,
  VmReport,
} from "../model/observed-state.ts";
import { driftLines } from "./status-text.ts";
import { showAddresses } from "./words/addresses.ts";
import { plural } from "./words/names.ts";
import { type Paint, paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";
import { type Column, renderTable, type TableOptions } from "./words/table.ts";
import { showMiB } from "./words/values.ts";

interface Options extends TableOptions {
  /** What the running guest takes without an outage, too. */
  readonly changes: boolean;
}

export function renderVm(vm: VmReport, node: string, options: Options): string {
  const paint = paintWith(options.colour);
  return [
    renderRows(rowsOf(vm, node), paint),
    ...(vm.lastEvent === undefined ? [] : [renderEvent(vm.lastEvent, paint)]),
    ...(options.changes ? [renderChanges(vm, options)] : []),
  ].join("\n\n");
}

type Row = readonly [key: string, value: string];

function rowsOf(vm: VmReport, node: string): readonly Row[] {
  const { spec } = vm;
  const readySince = vm.readySince === undefined ? "" : ` since ${vm.readySince}`;
  const ready = vm.ready === null ? "" : vm.ready ? `, ready${readySince}` : ", not ready";
  return [
    ["name", vm.name],
    ["node", node],
    ["phase", `${vm.phase} since ${vm.since}${ready}${vm.reason === null ? "" : ` (${vm.reason})`}`],
    ...(vm.restart === undefined ? [] : [["restart", describeRestart(vm.restart)] as const]),
    ...(vm.migration === undefined ? [] : [["migration", describeMigration(vm.migration, vm)] as const]),
    ["fleet", vm.fleet ?? "none: made by hand"],
    [
      "applied",
      `generation ${vm.generation} at ${vm.appliedAt}${vm.commit === null ? "" : `, commit ${vm.commit.slice(0, 12)}`}`,
    ],
    ["strategy", `${spec.runStrategy}${spec.protect ? ", protected" : ""}`],
    ["hypervisor", `${spec.hypervisor}${vm.pid === null ? "" : `, pid ${vm.pid}`}`],
    ...(awaitsConfig(spec)
      ? [["config", `none yet: odorobo vm create ${vm.name} CONFIG gives it one`] as const]
      : describeSpec(spec)),
    ...describePlaces(vm),
    ...(vm.images ?? []).map((image): Row => [`below ${image.disk}`, describeImage(image)]),
    ...(vm.owed ?? []).map((each): Row => ["pending", describeOwed(each)]),
    ...vm.drift.flatMap((field) => {
      const key = vm.owed?.some(({ path }) => path === field.path) ? "pending" : "drift";
      return driftLines([field]).map((line): Row => [key, line]);
    }),
  ];
}

/** Forwards by themselves: with what they lead to. */
function describePlaces({ addresses = [], forwards = [] }: VmReport): readonly Row[] {
  const own = addresses.filter(({ source }) => source !== "forward");
  return [
    ...(own.length === 0 ? [] : [["addresses", showAddresses(own)] as const]),
    ...forwards.map(
      ({ host, hostPort, guestPort, protocol }): Row => [
        "forward",
        `${host}:${hostPort} of its node leads to its port ${guestPort}${protocol === "udp" ? "/udp" : ""}`,
      ],
    ),
  ];
}

function describeImage({ file, pathNow, problem }: ImageBelow): string {
  if (problem !== undefined) return `${problem.message}: ${problem.hint}`;
  return pathNow === undefined ? file : `${file}, and stays so; its image's path leads to ${pathNow} now`;
}

const describeOwed = ({ path, since, held }: OwedChange): string =>
  held
    ? `${path}: the guest was asked to let go of it at ${since} and has not; its next boot is as its spec says`
    : `${path} since ${since}: applied, and not in the guest yet`;

const describeSpec = (spec: VmReport["spec"]): readonly Row[] => [
  ["cpus", `${spec.cpus.count} (room for ${spec.cpus.max})`],
  ["memory", `${showMiB(spec.memory.sizeMiB)} (room for ${showMiB(spec.memory.maxMiB)})`],
  ...describeWeights(spec.weights),
  ...spec.disks.map((disk): Row => [`disk ${disk.name}`, describeDisk(disk)]),
  ...spec.nics.map(
    (nic): Row => [`nic ${nic.name}`, [nic.network, nic.mac, nic.address].filter((part) => part !== null).join(", ")],
  ),
  ...(Object.keys(spec.passthrough).length === 0
    ? []
    : [["passthrough", Object.keys(spec.passthrough).join(", ")] as const]),
  ...Object.entries(spec.labels).map(([key, value]): Row => [`label ${key}`, value]),
];

function renderRows(rows: readonly Row[], paint: Paint): string {
  const width = rows.reduce((most, [key]) => Math.max(most, safeLine(key).length), 0);
  return rows.map(([key, value]) => `${paint("dim", safeLine(key).padEnd(width))}  ${safeLine(value)}`).join("\n");
}

function describeRestart({ attempts, nextAt, givenUp }: RestartState): string {
  if (givenUp) return `given up after ${attempts} starts in a row that did not last; vm boot tries again`;
  if (nextAt === null) return `start ${attempts} in a row, not known yet to last`;
  return attempts === 0 ? `due at ${nextAt}` : `due at ${nextAt}, after ${attempts} in a row that did not last`;
}

function describeMigration({ role, since, url }: MigrationState, { phase }: VmReport): string {
  if (role === "destination") return `waits for its guest at ${url} since ${since}`;
  return phase === "stopped" ? `its guest went to ${url} at ${since}` : `its guest leaves for ${url} since ${since}`;
}

function describeWeights({ cpu, io }: VmReport["spec"]["weights"]): readonly Row[] {
  const parts = [...(cpu === null ? [] : [`cpu ${cpu}`]), ...(io === null ? [] : [`io ${io}`])];
  return parts.length === 0 ? [] : [["weights", parts.join(", ")]];
}

function describeDisk({ origin, readonly }: VmReport["spec"]["disks"][number]): string {
  const suffix = readonly ? ", read-only" : "";
  switch (origin.kind) {
    case "image":
      return `${showMiB(origin.sizeMiB)} over ${origin.image}${suffix}`;
    case "blank":
      return `${showMiB(origin.sizeMiB)}${suffix}`;
    case "external":
      return `${origin.url}${suffix}`;
  }
}

/** Of what a guest did by its own will the end is enough; --json has all that was kept. */
const SHORT = 5;
const WILLED: ReadonlySet<GuestEvent["kind"]> = new Set(["power-off", "reboot"]);

function renderEvent({ kind, at, message, console, log }: GuestEvent, paint: Paint): string {
  const lines = (title: string, said: readonly string[]) =>
    said.length === 0 ? [] : [`  ${paint("dim", title)}`, ...said.map((line) => `    ${safeLine(line)}`)];
  return [
    `${paint("bold", "Last event")}: ${kind} at ${at}: ${safeLine(message)}`,
    ...lines("its console said last", WILLED.has(kind) ? console.slice(-SHORT) : console),
    ...lines("its hypervisor said last", WILLED.has(kind) ? log.slice(-SHORT) : log),
  ].join("\n");
}

const CHANGE_COLUMNS: readonly Column<ChangeRule>[] = [
  { title: "FIELD", kind: "name", show: (rule) => rule.path },
  { title: "CHANGE", kind: "state", show: describeRange },
  { title: "CLASS", kind: "state", show: (rule) => rule.class },
  { title: "NOTE", show: (rule) => rule.note ?? "" },
];

function describeRange({ path, change, min, max, multipleOf }: ChangeRule): string {
  const show = (value: number) => (path === "memory.size" ? showMiB(value) : String(value));
  return [
    change,
    ...(min === undefined ? [] : [`from ${show(min)}`]),
    ...(max === undefined ? [] : [`to ${show(max)}`]),
    ...(multipleOf === undefined ? [] : [`by ${show(multipleOf)}`]),
  ].join(" ");
}

function renderChanges({ changeRules, live, spec }: VmReport, options: TableOptions): string {
  if (changeRules !== undefined && changeRules.length > 0) {
    const shown = changeRules.filter((rule) => rule.class === "live" || !rule.path.startsWith("passthrough."));
    const more = changeRules.length - shown.length;
    return [
      paintWith(options.colour)("bold", "What it takes now, the first rule that fits counts:"),
      renderTable(CHANGE_COLUMNS, shown, options),
      ...(more === 0
        ? []
        : [`and ${plural(more, "rule")} of passthrough fields that take no change while it runs: --json`]),
    ].join("\n");
  }
  return live === null
    ? "It does not run: every change is made with its next boot."
    : `${spec.hypervisor} says nothing finer of this guest than its capabilities: odorobo node info shows them.`;
}
