/** How full nodes get, a line each: what VMs take now and afterwards, of how much there is. */
import { describeMemory } from "../../model/capacity.ts";
import type { NodeRoom, Plan } from "../../plan/plan-document.ts";
import { plural } from "../words/names.ts";
import { safeLine } from "../words/safe-text.ts";
import { describeHeadroom } from "./times-text.ts";

/** Nodes that are told one by one: those that come nearest to full. */
const MOST_NODES = 8;

/** Of a plan of before: what it knows of it. */
export function renderRooms(plan: Plan): string[] {
  const { rooms } = plan;
  if (rooms === undefined) return describeHeadroom(plan);
  const least = ({ of, now, after, fullest }: NodeRoom): number =>
    of.memoryMiB - (fullest ?? (after.memoryMiB > now.memoryMiB ? after : now)).memoryMiB;
  const tightest = [...rooms].sort((a, b) => least(a) - least(b) || (a.node < b.node ? -1 : 1));
  const shown = tightest.slice(0, MOST_NODES);
  const widest = Math.max(...shown.map(({ node }) => node.length));
  const left = rooms.length - shown.length;
  return [
    "Taken by VMs, now → afterwards:",
    ...shown.map((room) => `  ${safeLine(room.node.padEnd(widest))}  ${sayRoom(room)}`),
    ...(left > 0 ? [`  … and ${plural(left, "more node")}, with more room`] : []),
  ];
}

/** `7 GiB → 1 GiB of 8 GiB memory, 3 → 1 of 16 cpus; 8 GiB and 4 cpus on the way` */
function sayRoom({ of, now, after, fullest }: NodeRoom): string {
  const from = now.memoryMiB === after.memoryMiB ? "" : `${describeMemory(now.memoryMiB)} → `;
  const memory = `${from}${describeMemory(after.memoryMiB)} of ${describeMemory(of.memoryMiB)} memory`;
  const cpus = `${now.cpus === after.cpus ? "" : `${now.cpus} → `}${after.cpus} of ${of.cpus} cpus`;
  const way =
    fullest === undefined
      ? ""
      : `; at most ${describeMemory(fullest.memoryMiB)} and ${plural(fullest.cpus, "cpu")} on the way`;
  return `${memory}, ${cpus}${way}`;
}
