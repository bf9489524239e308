/** What `validate --json` prints (`schemas/validation.schema.json`), and its last line for people. */
import type { Diagnostic } from "../manifest/text/diagnostic.ts";
import { plural } from "./words/names.ts";
import { safeLine } from "./words/safe-text.ts";

export interface Validation {
  readonly kind: "Validation";
  readonly version: 1;
  readonly source: string;
  readonly commit: string | null;
  readonly valid: boolean;
  /** YAML files read; a file may hold many documents. */
  readonly manifests: number;
  /** Null when they are not valid. */
  readonly vms: number | null;
  readonly diagnostics: readonly Diagnostic[];
}

export function describeValidation({ source, valid, manifests, vms, diagnostics }: Validation): string {
  const count = (severity: Diagnostic["severity"]) => diagnostics.filter((each) => each.severity === severity).length;
  const found = [plural(count("error"), "error"), plural(count("warning"), "warning")].filter(
    (text) => !text.startsWith("0"),
  );
  const suffix = found.length === 0 ? "" : `: ${found.join(", ")}`;
  const what = `${safeLine(source)}: ${plural(manifests, "file")}`;
  return valid
    ? `${what}, ${plural(vms ?? 0, "VM")}: valid${suffix === "" ? "" : `, with${suffix.slice(1)}`}`
    : `${what}: not valid${suffix}`;
}
