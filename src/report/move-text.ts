/** A move between two nodes, for people: how far it is, and how it went. */
import type { MigrationProgress } from "../model/observed-state.ts";
import type { OperationResult } from "../wire/operations.ts";
import { warningLines } from "./vm-action-text.ts";
import { paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";
import { showMilliseconds } from "./words/values.ts";

export interface MovedVm {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly result: OperationResult;
  readonly isRunning: boolean;
  /** Of the manifests, where they want it elsewhere; null: they do not say, or nobody asked them. */
  readonly fleet: string | null;
}

export function renderMoved(
  { name, from, to, result, isRunning, fleet }: MovedVm,
  options: { readonly colour: boolean },
): string {
  const paint = paintWith(options.colour);
  const how = result.detail?.migration;
  const figures =
    how === undefined
      ? []
      : [
          `in ${showMilliseconds(how.seconds * 1000)}`,
          `${showBytes(how.sentBytes)} sent`,
          ...(how.downtimeMs === null ? [] : [`it stood still for ${showMilliseconds(how.downtimeMs)}`]),
        ];
  return [
    `${paint("bold", safeLine(name))} ${isRunning ? "runs" : "is off"} on ${safeLine(to)}, moved from ${safeLine(from)}${figures.length === 0 ? "" : `: ${figures.join(", ")}`}`,
    ...Object.entries(how?.checksums ?? {}).map(
      ([disk, checksum]) =>
        `disk ${safeLine(disk)} is the same on both (checksum of its segments: ${safeLine(checksum)})`,
    ),
    ...warningLines(result, paint),
    ...(fleet === null
      ? []
      : [
          paint(
            "yellow",
            `The manifests of fleet ${safeLine(fleet)} may want it elsewhere: name ${safeLine(to)} in its placement, or the next apply moves it back.`,
          ),
        ]),
  ].join("\n");
}

const STAGES: Readonly<Record<MigrationProgress["stage"], string>> = {
  preparing: "preparing",
  disks: "copying disks",
  memory: "copying memory",
  "handing-over": "handing over",
  settling: "waiting for the other node's word",
};

/** One line, without the VM's name. */
export function describeProgress(progress: MigrationProgress): string {
  const { stage, sentBytes, remainingBytes, bytesPerSecond, dirtyBytesPerSecond } = progress;
  const parts = [
    STAGES[stage],
    ...(sentBytes > 0 ? [`${showBytes(sentBytes)} sent`] : []),
    ...(remainingBytes !== null && remainingBytes > 0 ? [`${showBytes(remainingBytes)} to go`] : []),
    ...(bytesPerSecond !== null && bytesPerSecond > 0 ? [`${showBytes(bytesPerSecond)}/s`] : []),
    ...(dirtyBytesPerSecond !== null && dirtyBytesPerSecond > 0
      ? [`the guest writes ${showBytes(dirtyBytesPerSecond)}/s`]
      : []),
  ];
  return parts.join(", ");
}

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

function showBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}
