/** `odorobo check --survive`, for people: which nodes could not be lost, and who would find no home then. */
import type { HomelessVm, Loss, Survival } from "../../what-if/survive.ts";
import { sayFilters } from "../words/filters.ts";
import { plural } from "../words/names.ts";
import { type Paint, paintWith } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";
import { someNames } from "./some-names.ts";

/** Losses that are told one by one, and VMs of each. */
const MOST_LOSSES = 20;
const MOST_REASONS = 10;

export function renderSurvival(survival: Survival, options: { readonly colour: boolean }): string {
  const paint = paintWith(options.colour);
  const { failures } = survival;
  const more = failures.length - MOST_LOSSES;
  return [
    renderVerdict(survival, paint),
    ...failures.slice(0, MOST_LOSSES).map((loss) => renderLoss(loss, paint).join("\n")),
    ...(more > 0 ? [`and ${plural(more, "case")} more: --json has them all`] : []),
    ...renderLimits(survival, paint),
  ].join("\n\n");
}

function renderVerdict({ survives, losses, nodes, vms, cases, failures }: Survival, paint: Paint): string {
  const what = losses === 1 ? "any one node" : "any two nodes";
  const looked = `${plural(vms, "VM")} on ${plural(nodes, "node")}, ${plural(cases, "case")} placed`;
  if (survives)
    return `${paint("green", "Survives")} the loss of ${what}: everybody finds a home on the rest (${looked}).`;
  const singles = failures.filter(({ down }) => down.length === 1).length;
  const pairs = failures.length - singles;
  const told = [
    ...(singles > 0 ? [`${plural(singles, "node")}`] : []),
    ...(pairs > 0 ? [`${plural(pairs, "pair")} of nodes`] : []),
  ];
  return `${paint("red", "Does not survive")} the loss of ${what}: ${told.join(" and ")} could not be lost (${looked}).`;
}

function renderLoss({ down, vms, homeless }: Loss, paint: Paint): string[] {
  const nodes = down.map((node) => paint("bold", safeLine(node))).join(" and ");
  const head = `${nodes} down: ${homeless.length} of ${plural(vms, "VM")} ${homeless.length === 1 ? "finds" : "find"} no home`;
  const alike = [...Map.groupBy(homeless, (each: HomelessVm) => sayFilters(each.filters))];
  const more = alike.length - MOST_REASONS;
  return [
    head,
    ...alike
      .slice(0, MOST_REASONS)
      .flatMap(([why, all]) => [
        `  ${paint("bold", someNames(all.map(({ name }) => name)))}: ${why}`,
        ...renderOldDisks(all, down),
      ]),
    ...(more > 0 ? [`  and ${more} other reasons`] : []),
  ];
}

/** Of as many as are told by name. */
const MOST_COMMANDS = 3;

function renderOldDisks(homeless: readonly HomelessVm[], down: Loss["down"]): string[] {
  const held = homeless.flatMap(({ name, leftDisks = [] }) => leftDisks.map((node) => ({ name, node })));
  const more = held.length - MOST_COMMANDS;
  return [
    ...held
      .slice(0, MOST_COMMANDS)
      .map(
        ({ name, node }) =>
          `    ${safeLine(node)} keeps disks that ${safeLine(name)} left there when it moved away. Now: odorobo vm purge ${safeLine(name)}; once ${down.map(safeLine).join(" and ")} is lost: odorobo vm delete ${safeLine(name)} --node ${safeLine(node)}, which starts it there with them`,
      ),
    ...(more > 0 ? [`    and ${more} more that left disks: --json has them all`] : []),
  ];
}

function renderLimits({ emptyDisks, unseen }: Survival, paint: Paint): string[] {
  return [
    ...(emptyDisks === 0
      ? []
      : [
          paint(
            "dim",
            `${plural(emptyDisks, "VM")} ${emptyDisks === 1 ? "has its" : "have their"} disks on the node alone: a home elsewhere begins with empty ones.`,
          ),
        ]),
    ...(unseen.nodes.length === 0
      ? []
      : [
          `${paint("yellow", "Not looked at")}: ${someNames(unseen.nodes)}, which ${unseen.nodes.length === 1 ? "does" : "do"} not answer${unseen.vms === 0 ? "" : `, and ${plural(unseen.vms, "VM")} that nobody can see`}.`,
        ]),
  ];
}
