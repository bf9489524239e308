/**
 * A change of one Node in the manifests, because somebody asked for exactly that: the one way in which a fleet's files are written to.
 *
 *   read-fleet.ts (which file, which line) → manifest/text/edit-spec.ts (the text) → [edit-node.ts] → the file
 */
import { readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { editSpec, type SpecEdit } from "../manifest/text/edit-spec.ts";
import { parseFile } from "../manifest/text/parse-file.ts";
import type { DesiredNode, SourcePosition } from "../model/desired-state.ts";
import { isErrno, OdoroboError } from "../model/errors.ts";
import { writeFileAtomically } from "../platform/atomic-write.ts";
import { type Fleet, type FleetLocation, loadFleet } from "./read-fleet.ts";

export interface NodeChange {
  readonly node: DesiredNode;
  readonly fleet: Fleet;
  /** As the manifests name it. */
  readonly position: SourcePosition;
  readonly before: string;
  /** As it would be; equal to `before` when it was so already. Null: the text is of a kind that a person has to edit. */
  readonly after: string | null;
  /** Where it is written to; null: manifests of a commit are not written to. */
  readonly path: string | null;
}

/** Nothing is written yet. Rejects with NOT_FOUND, and with what reading a fleet rejects with: an unfinished merge is one of these. */
export async function draftNodeChange(
  location: FleetLocation,
  name: string,
  edits: (node: DesiredNode) => readonly SpecEdit[],
  signal: AbortSignal,
): Promise<NodeChange> {
  const fleet = await loadFleet(location, signal);
  const node = fleet.desired.nodes.find((each) => each.name === name);
  if (node?.source == null)
    throw new OdoroboError("NOT_FOUND", `the manifests of ${fleet.source} name no node ${name}`, {
      hint: `there is ${fleet.desired.nodes.map((each) => each.name).join(", ") || "none"}`,
    });
  const position = node.source;
  // The file itself where a link leads to it: what is renamed over a link would take its place.
  const path = location.kind === "folder" ? await realpath(join(location.path, position.file)) : null;
  const before = path === null ? textOf(fleet, position.file) : await readFile(path, "utf8");
  const after = editSpec(before, { kind: "Node", name }, edits(node));
  return { node, fleet, position, before, after: after !== null && isSound(after) ? after : null, path };
}

const textOf = ({ texts }: Fleet, file: string): string => texts.find(({ path }) => path === file)?.text ?? "";

const isSound = (text: string): boolean => parseFile(text).problems.length === 0;

/** Rejects with FILE_UNWRITABLE, also when somebody else has written to the file since it was read. */
export async function writeNodeChange({ before, after, path, position }: NodeChange): Promise<void> {
  if (path === null || after === null) throw new Error("there is nothing to be written");
  try {
    const { mode } = await stat(path);
    if ((await readFile(path, "utf8")) !== before)
      throw new OdoroboError("FILE_UNWRITABLE", `${position.file} was changed while you looked`, {
        hint: "nothing was written; run it again",
      });
    await writeFileAtomically(path, after, mode & 0o777);
  } catch (cause) {
    if (cause instanceof OdoroboError) throw cause;
    throw new OdoroboError("FILE_UNWRITABLE", `${position.file} could not be written`, {
      cause,
      hint: isErrno(cause, "EACCES") ? "may you write to its folder?" : "nothing was written",
    });
  }
}
