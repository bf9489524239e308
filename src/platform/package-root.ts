/** The folder of package.json, beside which are `schemas/` and `guest/`: above the sources and above what is built of them, however deep. */
import { existsSync } from "node:fs";

export const PACKAGE_ROOT: URL = (() => {
  let folder = new URL("./", import.meta.url);
  while (!existsSync(new URL("package.json", folder)) && folder.pathname !== "/") folder = new URL("../", folder);
  return folder;
})();
