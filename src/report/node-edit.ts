/** What the commands that change a Node's manifest print with `--json` (`schemas/node-edit.schema.json`). */
import type { NodeName } from "../model/names.ts";

export interface NodeEdit {
  readonly kind: "NodeEdit";
  readonly version: 1;
  readonly node: NodeName;
  /** Relative to the manifests' root. */
  readonly file: string;
  /** Where the node is named in it. */
  readonly line: number;
  readonly outcome: "written" | "unchanged" | "printed";
  /** As `diff -u`; empty: nothing differs. */
  readonly diff: string;
}
