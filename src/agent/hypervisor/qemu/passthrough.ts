/** The `qemu:` section of a spec → arguments. Pure. */
import { OdoroboError } from "../../../model/errors.ts";
import { checkQemuSection, qemuArgs } from "../../../model/qemu/check-args.ts";

/** Throws UNSUPPORTED: who has no manifests (a spec by hand) hears of it here. */
export function passthroughArgs(passthrough: Readonly<Record<string, unknown>>): readonly string[] {
  const problems = checkQemuSection(passthrough);
  const [first] = problems;
  if (first === undefined) return qemuArgs(passthrough);
  throw new OdoroboError("UNSUPPORTED", problems.map(({ message }) => message).join("; "), { hint: first.hint });
}
