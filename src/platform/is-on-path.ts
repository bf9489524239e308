/** Whether a program could be started by its name. */
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

export async function isOnPath(program: string): Promise<boolean> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const found = await access(join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (folder !== "" && found) return true;
  }
  return false;
}
