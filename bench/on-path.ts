import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The first of these programs that is here. */
export const onPath = (...programs: readonly string[]): string | null =>
  programs.find((program) =>
    (process.env.PATH ?? "").split(delimiter).some((folder) => isProgram(join(folder, program))),
  ) ?? null;

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
