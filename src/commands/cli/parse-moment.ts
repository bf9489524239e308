/** Moments as people type them: a time with its zone, or how long from now. */
import { OdoroboError } from "../../model/errors.ts";
import type { Instant } from "../../model/names.ts";
import { parseMilliseconds } from "./parse-quantity.ts";

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

/** As manifests have it, to the second: nobody means more. Throws USAGE. */
export function parseMoment(text: string, flag: string, now: Instant): string {
  const moment = TIME.test(text) ? Date.parse(text) : Date.parse(now) + parseMilliseconds(text, flag);
  if (!Number.isFinite(moment))
    throw new OdoroboError("USAGE", `${flag}: there is no such time: ${text}`, {
      hint: "such as 2026-12-01T22:00:00Z, or 2h",
    });
  return new Date(moment).toISOString().replace(/\.\d+Z$/, "Z");
}
