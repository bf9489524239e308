/** For commands that need one of two flags. */
import { OdoroboError } from "../../model/errors.ts";

/** The one that is given. Throws USAGE when none is; that not both are, oclif sees to (`exclusive`). */
export function requireOne<A extends string, B extends string>(
  flags: Readonly<Partial<Record<A | B, unknown>>>,
  one: A,
  other: B,
): A | B {
  if (flags[one] !== undefined) return one;
  if (flags[other] !== undefined) return other;
  throw new OdoroboError("USAGE", `--${one} or --${other} is missing`, { hint: "--help shows what they take" });
}
