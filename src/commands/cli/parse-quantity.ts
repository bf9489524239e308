/** Sizes and durations after a flag: written as in the manifests. */
import { parseDurationMs, parseSizeMiB, type Quantity } from "../../manifest/vm/quantities.ts";
import { OdoroboError } from "../../model/errors.ts";

export const parseMilliseconds = (text: string, flag: string): number => amountOf(flag, parseDurationMs(text));

export const parseMiB = (text: string, flag: string): number => amountOf(flag, parseSizeMiB(text));

/** `data=20GiB`. Throws USAGE. */
export function parseDiskSize(text: string): { readonly name: string; readonly sizeMiB: number } {
  const at = text.indexOf("=");
  if (at > 0) return { name: text.slice(0, at), sizeMiB: parseMiB(text.slice(at + 1), "--disk") };
  throw new OdoroboError("USAGE", `--disk: ${JSON.stringify(text)} is not NAME=SIZE`, { hint: "such as data=20GiB" });
}

function amountOf(flag: string, quantity: Quantity): number {
  if (quantity.ok) return quantity.value;
  throw new OdoroboError("USAGE", `${flag}: ${quantity.message}`, { hint: quantity.hint });
}
