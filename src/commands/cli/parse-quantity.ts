/** Sizes and durations after a flag: written as in the manifests. */
import { parseDurationMs, parseSizeMiB, type Quantity } from "../../manifest/vm/quantities.ts";
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

/** `data=20GiB`. Throws USAGE. */
export function parseDiskSize(text: string): { readonly name: string; readonly sizeMiB: number } {
  const at = text.indexOf("=");
  if (at > 0) return { name: text.slice(0, at), sizeMiB: parseMiB(text.slice(at + 1), "--disk") };
  throw new OdoroboError("USAGE", `--disk: ${JSON.stringify(text)} is not NAME=SIZE`, { hint: "such as data=20GiB" });
}

const bad = (message: string, hint: string): Quantity => ({ ok: false, message, hint });

function amountOf(flag: string, quantity: Quantity): number {
  if (quantity.ok) return quantity.value;
  throw new OdoroboError("USAGE", `${flag}: ${quantity.message}`, { hint: quantity.hint });
}
