/** Flags that several commands share, and what they mean as values. One place, so that a flag means the same everywhere. */
import { Args, Flags } from "@oclif/core";
import { CHANGE_CLASSES, type ChangeClass } from "../../model/change-class.ts";
import type { Selection } from "../../model/changes.ts";
import { OdoroboError } from "../../model/errors.ts";
import type { Allowances } from "../../plan/guards.ts";
import { systemClock } from "../../platform/clock.ts";
import { splitPatterns } from "../../reconcile/select.ts";
import type { AgentAccess } from "../../turn/connect-agents.ts";
import type { PlanRequest } from "../../turn/plan-fleet.ts";
import type { FleetLocation } from "../../turn/read-fleet.ts";
import { parseMilliseconds } from "./parse-quantity.ts";
import { thisFolder } from "./this-folder.ts";

export const folderArg = {
  folder: Args.string({ description: "folder with the manifests (default: --fleet, or this folder)" }),
};

export const fleetFlags = {
  fleet: Flags.string({
    summary: "folder with the manifests",
    helpValue: "FOLDER",
    env: "ODOROBO_FLEET",
    helpGroup: "SOURCE",
    exclusive: ["repo"],
  }),
  repo: Flags.string({
    summary: "git repository with the manifests, instead of a folder",
    helpValue: "URL",
    helpGroup: "SOURCE",
  }),
  ref: Flags.string({ summary: "branch, tag or commit of --repo", dependsOn: ["repo"], helpGroup: "SOURCE" }),
  path: Flags.string({ summary: "folder inside --repo", helpValue: "SUB", dependsOn: ["repo"], helpGroup: "SOURCE" }),
};

export const agentFlags = {
  timeout: Flags.string({
    summary: "how long one agent may take to say what it has (default: 5s)",
    helpValue: "10s",
    helpGroup: "AGENTS",
  }),
  "token-file": Flags.string({
    summary: "file with the token that the agents ask for",
    helpValue: "FILE",
    env: "ODOROBO_TOKEN_FILE",
    helpGroup: "AGENTS",
  }),
  "tls-ca": Flags.string({ summary: "certificate authority of the agents", helpValue: "FILE", helpGroup: "AGENTS" }),
  "tls-cert": Flags.string({
    summary: "certificate to show to the agents",
    helpValue: "FILE",
    dependsOn: ["tls-key"],
    helpGroup: "AGENTS",
  }),
  "tls-key": Flags.string({
    summary: "key of --tls-cert",
    helpValue: "FILE",
    dependsOn: ["tls-cert"],
    helpGroup: "AGENTS",
  }),
};

export const selectionFlags = {
  target: Flags.string({
    summary: "only these VMs: a name, a glob (web-*) or a label (app=web); may be repeated",
    helpValue: "VM",
    multiple: true,
    multipleNonGreedy: true,
    helpGroup: "CHOICE",
  }),
  exclude: Flags.string({
    summary: "all but these VMs; wins over --target",
    helpValue: "VM",
    multiple: true,
    multipleNonGreedy: true,
    helpGroup: "CHOICE",
  }),
};

export const guardFlags = {
  "max-class": Flags.string({
    summary: "refuse a plan with a change worse than this",
    options: [...CHANGE_CLASSES],
    helpGroup: "GUARDS",
  }),
  "allow-destroy": Flags.integer({
    summary: "let this plan destroy or replace so many VMs, where the fleet's guard allows fewer",
    helpValue: "N",
    min: 0,
    helpGroup: "GUARDS",
  }),
  "outside-windows": Flags.boolean({
    summary: "do now what would wait for a window",
    helpGroup: "GUARDS",
  }),
};

export const confirmFlags = {
  yes: Flags.boolean({ char: "y", summary: "do not ask", helpGroup: "GUARDS" }),
};

export const parallelismFlag = {
  parallelism: Flags.integer({
    summary: "at most this many steps at a time (default: the fleet's policy)",
    helpValue: "N",
    min: 1,
  }),
};

export const stateFlag = {
  state: Flags.string({
    summary: "where runs are kept (default: odorobo in the XDG state folder)",
    helpValue: "FOLDER",
    env: "ODOROBO_STATE",
  }),
};

export interface FleetFlags {
  readonly fleet?: string | undefined;
  readonly repo?: string | undefined;
  readonly ref?: string | undefined;
  readonly path?: string | undefined;
}

export function toLocation(flags: FleetFlags, folder?: string): FleetLocation {
  if (folder !== undefined && flags.repo !== undefined)
    throw new OdoroboError("USAGE", "a folder and --repo were both given", {
      hint: "--path names the folder inside the repository",
    });
  if (flags.repo !== undefined)
    return { kind: "git", url: flags.repo, ref: flags.ref ?? null, path: flags.path ?? null };
  return { kind: "folder", path: folder ?? flags.fleet ?? thisFolder() };
}

export interface AgentFlags {
  readonly timeout?: string | undefined;
  readonly "token-file"?: string | undefined;
  readonly "tls-ca"?: string | undefined;
  readonly "tls-cert"?: string | undefined;
  readonly "tls-key"?: string | undefined;
}

/** Those that were given, as one would type them again. */
export const listAgentFlags = (flags: AgentFlags): string[] =>
  (["timeout", "token-file", "tls-ca", "tls-cert", "tls-key"] as const).flatMap((name) => {
    const value = flags[name];
    return value === undefined ? [] : [`--${name}`, value];
  });

export const toAccess = (flags: AgentFlags): AgentAccess => ({
  tokenFile: flags["token-file"],
  tls: { caFile: flags["tls-ca"], certFile: flags["tls-cert"], keyFile: flags["tls-key"] },
  ...(flags.timeout === undefined ? {} : { answerMs: parseMilliseconds(flags.timeout, "--timeout") }),
});

export interface SelectionFlags {
  readonly target?: string[] | undefined;
  readonly exclude?: string[] | undefined;
}

export function toSelection(flags: SelectionFlags): Selection | null {
  const target = (flags.target ?? []).flatMap(splitPatterns);
  const exclude = (flags.exclude ?? []).flatMap(splitPatterns);
  return target.length + exclude.length === 0 ? null : { targets: target, excludes: exclude };
}

export interface GuardFlags {
  readonly "max-class"?: string | undefined;
  readonly "allow-destroy"?: number | undefined;
  readonly "outside-windows"?: boolean | undefined;
}

export const toAllowances = (flags: GuardFlags): Allowances => ({
  maxClass: (flags["max-class"] as ChangeClass | undefined) ?? null,
  allowDestroy: flags["allow-destroy"] ?? null,
  ...(flags["outside-windows"] ? { outsideWindows: true } : {}),
});

export const toPlanRequest = (
  flags: FleetFlags & AgentFlags & SelectionFlags & GuardFlags,
  folder: string | undefined,
): PlanRequest => ({
  location: toLocation(flags, folder),
  access: toAccess(flags),
  selection: toSelection(flags),
  allowances: toAllowances(flags),
  clock: systemClock,
});
