/** What `odorobo apply THING` means: a folder is a fleet, a file is a saved plan. */
import { stat } from "node:fs/promises";
import { OdoroboError } from "../../../model/errors.ts";
import type { GuardFlags, SelectionFlags } from "../flags.ts";

export type ApplySource =
  | { readonly kind: "folder"; readonly path: string | undefined }
  | { readonly kind: "plan"; readonly path: string };

export async function toApplySource(argument: string | undefined): Promise<ApplySource> {
  if (argument === undefined) return { kind: "folder", path: undefined };
  const isFolder = await stat(argument).then(
    (found) => found.isDirectory(),
    // Reading it as a plan says what is wrong with it.
    () => false,
  );
  return { kind: isFolder ? "folder" : "plan", path: argument };
}

/** A saved plan was reviewed as it is: flags that would have made another plan are refused, not ignored. */
export function refuseShapingFlags(flags: SelectionFlags & GuardFlags): void {
  const given = (["target", "exclude", "max-class", "allow-destroy", "outside-windows"] as const).filter(
    (name) => flags[name] !== undefined && flags[name] !== false,
  );
  if (given.length === 0) return;
  throw new OdoroboError(
    "USAGE",
    `a saved plan is applied as it is: ${given.map((name) => `--${name}`).join(", ")} cannot change it`,
    {
      hint: "give the flag to: odorobo plan --out FILE",
    },
  );
}
