/** Sizes and durations after a flag: written as in the manifests. */
import { parseDurationMs, parseSizeMiB, type Quantity } from "../../manifest/quantities.ts";
import { OdoroboError } from "../../model/errors.ts";

/** As `schemas/common.schema.json` has them. */
const SIZE = /^[0-9]+(\.[0-9]+)?[KMGT](iB|i)?$/;
const DURATION = /^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$/;

export const parseMilliseconds = (text: string, flag: string): number =>
  amountOf(
    flag,
    DURATION.test(text) ? parseDurationMs(text) : bad(`"${text}" is not a duration`, "such as 90s or 10m"),
  );

export const parseMiB = (text: string, flag: string): number =>
  amountOf(flag, SIZE.test(text) ? parseSizeMiB(text) : bad(`"${text}" is not a size`, "such as 512MiB or 4GiB"));

const bad = (message: string, hint: string): Quantity => ({ ok: false, message, hint });

function amountOf(flag: string, quantity: Quantity): number {
  if (quantity.ok) return quantity.value;
  throw new OdoroboError("USAGE", `${flag}: ${quantity.message}`, { hint: quantity.hint });
}
