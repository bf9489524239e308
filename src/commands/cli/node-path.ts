/** Paths on a node: this machine's working folder means nothing there. */
import { posix } from "node:path";
import { OdoroboError } from "../../model/errors.ts";

/** Throws USAGE. */
export function nodePath(text: string): string {
  if (posix.isAbsolute(text)) return posix.normalize(text);
  throw new OdoroboError("USAGE", `${JSON.stringify(text)} is not a path on the node`, {
    hint: "it begins with /, and is below a folder that the agent was given with --allow-path",
  });
}
