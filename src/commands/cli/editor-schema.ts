/** The schema of manifests for editors: one file that refers to nothing outside of itself. */
import { readFile } from "node:fs/promises";
import { PACKAGE_ROOT } from "../../platform/package-root.ts";

/** Where `init` puts it: reading a fleet passes over hidden folders, and a relative path is right on every machine of a team. */
export const EDITOR_SCHEMA_PATH = ".odorobo/manifest.schema.json";

/** `of`: `manifest` or `gateway`. Ends with a line end. */
export const readEditorSchema = (of = "manifest"): Promise<string> =>
  readFile(new URL(`schemas/${of}.schema.json`, PACKAGE_ROOT), "utf8");

/** What the YAML language server looks for in the comments before a document. `path`: of the file, relative to the fleet's folder. */
export const schemaLine = (path: string): string =>
  `# yaml-language-server: $schema=${"../".repeat(path.split("/").length - 1)}${EDITOR_SCHEMA_PATH}`;
