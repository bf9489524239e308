/**
 * What `odorobo agent install` and `uninstall`, and those of a gateway, print with `--json` (`schemas/agent-installation.schema.json`,
 * `schemas/gateway-installation.schema.json`), and what they say to people.
 */
import { paintWith } from "./words/paint.ts";

export type AgentInstallation = Installation & { readonly kind: "AgentInstallation" };
export type GatewayInstallation = Installation & { readonly kind: "GatewayInstallation" };

interface Installation {
  readonly version: 1;
  readonly act: "install" | "uninstall";
  /** Nothing was done: these are what would be. */
  readonly dryRun: boolean;
  /** The folder that stands for `/`. */
  readonly root: string;
  /** In the order of the acts. */
  readonly changes: readonly InstallationChange[];
  readonly unit: string;
  /** Whether it runs now; null: nobody looked (a dry run, another root). */
  readonly isRunning: boolean | null;
}

export interface InstallationChange {
  readonly what: "file" | "folder" | "user" | "unit";
  /** A path, or a name. */
  readonly name: string;
  readonly action: "create" | "change" | "keep" | "remove" | "enable" | "disable" | "start" | "restart" | "stop";
  /** For people: why it is kept, and the like. */
  readonly note: string | null;
}

const SIGNS: Readonly<Record<InstallationChange["action"], string>> = {
  create: "+",
  enable: "+",
  start: "+",
  change: "~",
  restart: "~",
  remove: "-",
  disable: "-",
  stop: "-",
  keep: " ",
};

export function renderInstallation(
  document: AgentInstallation | GatewayInstallation,
  options: { readonly colour: boolean },
): string {
  const paint = paintWith(options.colour);
  const lines = document.changes.map(({ what, name, action, note }) => {
    const line = `${SIGNS[action]} ${action.padEnd(7)} ${what} ${name}${note === null ? "" : ` (${note})`}`;
    return action === "keep" ? paint("dim", line) : line;
  });
  return [...lines, "", lastLine(document)].join("\n");
}

function lastLine({
  kind,
  act,
  dryRun,
  root,
  unit,
  isRunning,
  changes,
}: AgentInstallation | GatewayInstallation): string {
  const what = kind === "AgentInstallation" ? "agent" : "gateway";
  if (dryRun) return "Nothing was done: this was a dry run.";
  if (act === "uninstall") return `The ${what} is uninstalled. Guests and all data were left as they are.`;
  const where = root === "/" ? "" : ` below ${root}`;
  const isNew = changes.some(({ action }) => action !== "keep");
  const done = isNew ? `The ${what} is installed${where}` : `The ${what} was installed${where} already`;
  return isRunning === true ? `${done}, and ${unit} runs: systemctl status ${unit}` : `${done}.`;
}
