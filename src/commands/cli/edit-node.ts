/** `node cordon` and its kin: what would be written is shown, asked about, and written. The fleet's files are written to by nothing else. */
import { Args, Flags } from "@oclif/core";
import type { SpecEdit } from "../../manifest/text/edit-spec.ts";
import type { DesiredNode } from "../../model/desired-state.ts";
import { OdoroboError } from "../../model/errors.ts";
import { renderEdit } from "../../report/edit-diff.ts";
import type { NodeEdit } from "../../report/node-edit.ts";
import type { NodeChange } from "../../turn/edit-node.ts";
import { confirmFlags, type FleetFlags, fleetFlags, toLocation } from "./flags.ts";
import { confirm } from "./screen/confirm.ts";
import type { Screen } from "./screen/terminal.ts";

export const nodeArg = { node: Args.string({ description: "the node's name", required: true }) };

export const editFlags = {
  ...fleetFlags,
  yes: confirmFlags.yes,
  print: Flags.boolean({ summary: "only show what to write, and where", exclusive: ["yes"] }),
};

export interface EditRequest {
  readonly flags: FleetFlags & { readonly yes: boolean; readonly print: boolean };
  readonly node: string;
  readonly edits: (node: DesiredNode) => readonly SpecEdit[];
  /** `cordon n1`: what is asked about. */
  readonly what: string;
  /** What is said when there is nothing to write: `n1 is cordoned`. */
  readonly isSo: string;
  /** Before anything is asked: rejects when it must not be done. */
  readonly check?: (change: NodeChange) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Rejects with UNSUPPORTED where a person has to write it, NOT_CONFIRMED, and as reading and writing manifests do. */
export async function editNode(screen: Screen, request: EditRequest): Promise<NodeEdit> {
  const { flags, node, edits, what, signal } = request;
  const { draftNodeChange, writeNodeChange } = await import("../../turn/edit-node.ts");
  const change = await draftNodeChange(toLocation(flags), node, edits, signal);
  const { position, before, after, path } = change;
  if (after === null)
    throw byHand(change, edits(change.node), "its text is written in a way that is not edited by programs");
  await request.check?.(change);
  const diff = after === before ? "" : renderEdit(position.file, before, after, { colour: false });
  const outcome = (how: NodeEdit["outcome"]): NodeEdit => ({
    kind: "NodeEdit",
    version: 1,
    node: change.node.name,
    file: position.file,
    line: position.line,
    outcome: how,
    diff,
  });
  if (after === before) {
    screen.print(`${request.isSo} already: nothing to write.`);
    return outcome("unchanged");
  }
  const shown = renderEdit(position.file, before, after, { colour: screen.json ? screen.noteColour : screen.colour });
  if (!screen.json) screen.print(shown);
  else if (!flags.yes) screen.note(shown);
  if (flags.print) return outcome("printed");
  if (path === null)
    throw byHand(
      change,
      edits(change.node),
      "manifests of a commit are not written to",
      "edit a checkout of it: --fleet FOLDER, or --print",
    );
  const answer = { text: `Write this to ${position.file}? Only "yes" is accepted:`, answer: "yes", what };
  await confirm({ ...answer, hint: "look at it with --print and give --yes" }, { yes: flags.yes, signal });
  await writeNodeChange(change);
  screen.print(`${position.file} is written. Commit it; odorobo plan shows what follows from it.`);
  return outcome("written");
}

function byHand({ position }: NodeChange, edits: readonly SpecEdit[], why: string, hint?: string): OdoroboError {
  const lines = edits.map(({ key, value }) => (value === null ? `no ${key}` : `${key}: ${JSON.stringify(value)}`));
  const place = `${position.file}:${position.line}`;
  return new OdoroboError("UNSUPPORTED", `${place}: ${why}`, {
    hint: hint ?? `write below its spec: ${lines.join("; ")}`,
  });
}
