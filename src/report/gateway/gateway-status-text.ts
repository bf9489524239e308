/** What a gateway's fleets are at, for people: a line each, and below it what somebody should know or do. */
import { showNames } from "../words/names.ts";
import { paintWith } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";
import { type Column, renderTable, type TableOptions } from "../words/table.ts";
import type { GatewayFleetList, GatewayFleetSummary } from "./gateway-documents.ts";

const COLUMNS: readonly Column<GatewayFleetSummary>[] = [
  { title: "FLEET", kind: "name", show: ({ name }) => name },
  { title: "IN FORCE", kind: "name", show: ({ inForce }) => inForce?.revision ?? "-" },
  { title: "LATEST", kind: "name", show: ({ latest }) => latest?.id ?? "-" },
  { title: "STANDING", kind: "state", show: ({ latest }) => latest?.standing ?? "-" },
  { title: "SINCE", show: ({ latest }) => latest?.at ?? "-" },
];

/** `address`: the gateway's, as hints repeat it. */
export function renderGatewayStatus(
  { gateway, fleets }: GatewayFleetList,
  options: TableOptions & { readonly address: string },
): string {
  const paint = paintWith(options.colour);
  const notes = fleets.flatMap((fleet) =>
    notesOf(fleet, options.address).map(
      (note) => `${paint("bold", safeLine(fleet.name))}: ${note.split("\n").map(safeLine).join("\n  ")}`,
    ),
  );
  return [
    renderTable(COLUMNS, fleets, options),
    ...(notes.length === 0 ? [] : ["", ...notes]),
    "",
    paint("dim", `odorobo gateway ${safeLine(gateway.version)}, since ${gateway.since}`),
    ...leadLine(gateway.leader).map((line) => paint("dim", line)),
  ].join("\n");
}

/** Nothing of a gateway that is alone, or of an older one. */
function leadLine(leader: GatewayFleetList["gateway"]["leader"] | undefined): readonly string[] {
  if (leader === undefined || leader.mode === "alone") return [];
  if (leader.leads) return [`it leads its cluster, since ${leader.since}, in term ${leader.term}`];
  if (leader.leader === null) return ["nobody leads its cluster just now: nothing new is begun"];
  const where = leader.url === null ? "" : `, at ${safeLine(leader.url)}`;
  return [`it stands by: ${safeLine(leader.leader)} leads${where}, since ${leader.since}`];
}

/** So many lines of what is wrong with a revision: the first mistakes with their places, not all of hundreds. */
const MISTAKE_LINES = 16;

function notesOf(
  { latest, waiting, run, sourceTrouble, silentNodes, drift, heldBy, notReadyBecause }: GatewayFleetSummary,
  address: string,
): readonly string[] {
  const firstLine = (text: string) => text.split("\n")[0] ?? "";
  const answer = (id: string | null) =>
    id === null ? "" : `: odorobo runs show ${id} --gateway ${address}, then runs approve or runs refuse`;
  const isTold = notReadyBecause === null || notReadyBecause.message === sourceTrouble?.message;
  return [
    ...(isTold ? [] : [`not ready: ${firstLine(notReadyBecause.message)}`]),
    ...(run === null ? [] : [`the run ${run.id} is under way: ${run.ended} of ${run.steps} steps`]),
    ...(waiting === null
      ? []
      : [`waits for approval (${showNames(waiting.changes.map(({ name }) => name))})${answer(waiting.run)}`]),
    ...(latest?.because ? [`${latest.id} is ${latest.standing}: ${firstLines(latest.because.message)}`] : []),
    ...(latest?.heldBelow ? [`${latest.id} is ${latest.heldBelow}`] : []),
    ...(sourceTrouble === null
      ? []
      : [`the repository, since ${sourceTrouble.since}: ${firstLine(sourceTrouble.message)}`]),
    ...(silentNodes.length === 0
      ? []
      : [`silent: ${silentNodes.map(({ name, since }) => `${name} since ${since}`).join(", ")}`]),
    ...(drift.length === 0 ? [] : [`not as the manifests say, though nobody changed them: ${showNames(drift)}`]),
    ...(heldBy === null ? [] : [`somebody else has the fleet: ${heldBy}`]),
  ];
}

function firstLines(text: string): string {
  const lines = text.split("\n").filter((line) => line !== "");
  const rest = lines.length - MISTAKE_LINES;
  return rest <= 0 ? lines.join("\n") : [...lines.slice(0, MISTAKE_LINES), `… and ${rest} more lines`].join("\n");
}
