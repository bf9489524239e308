/** What commands say that speak of one VM or to its hypervisor, outside of plans. */
import { byName } from "../model/names.ts";
import type { VmReport } from "../model/observed-state.ts";
import type { GuestCounters } from "../wire/client.ts";
import { paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";
import { type Column, renderTable, type TableOptions } from "./words/table.ts";
import { showMilliseconds } from "./words/values.ts";

interface Options {
  readonly colour: boolean;
}

export function renderMadeVm(vm: VmReport, node: string, options: Options): string {
  const paint = paintWith(options.colour);
  const name = safeLine(vm.name);
  const state = vm.phase === "stopped" ? "made, and off" : `made, and ${vm.phase}`;
  return [
    `${paint("bold", name)} on ${safeLine(node)}: ${state}`,
    "It is of no fleet: no apply touches it, and no other node starts it.",
  ].join("\n");
}

export function renderPing(vm: VmReport, node: string, milliseconds: number, options: Options): string {
  const name = paintWith(options.colour)("bold", safeLine(vm.name));
  const pid = vm.pid === null ? "" : ` (pid ${vm.pid})`;
  return `${name} on ${safeLine(node)}: ${vm.phase}; ${vm.spec.hypervisor}${pid} answers, in ${showMilliseconds(milliseconds)}`;
}

interface CounterRow {
  readonly device: string;
  readonly name: string;
  readonly value: number;
}

const COUNTER_COLUMNS: readonly Column<CounterRow>[] = [
  { title: "DEVICE", kind: "name", show: (row) => row.device },
  { title: "COUNTER", kind: "name", show: (row) => row.name },
  { title: "VALUE", kind: "number", show: (row) => showCount(row.value) },
];

export function renderCounters(counters: GuestCounters, options: TableOptions): string {
  const rows = Object.entries(counters)
    .sort(([a], [b]) => byName(a, b))
    .flatMap(([device, values]) =>
      Object.entries(values)
        .sort(([a], [b]) => byName(a, b))
        .map(([name, value]) => ({ device, name, value })),
    );
  return rows.length === 0 ? "It has no device that counts." : renderTable(COUNTER_COLUMNS, rows, options);
}

/** Cloud Hypervisor says 2^64-1 where nothing was measured, and a ten-thousandth of that as its mean. */
const NOTHING_MEASURED = 1_844_674_407_370_955;
const showCount = (value: number): string => (value < NOTHING_MEASURED ? String(value) : "-");
