/** What is wrong with a value of a gateway's file, before it is known where that stands. */
import type { Diagnostic } from "../text/diagnostic.ts";
import type { Problem } from "../text/parsed-file.ts";

export type GatewayFinding = Pick<Problem, "code" | "message" | "hint"> & {
  /** Default: error. */
  readonly severity?: Diagnostic["severity"];
};
