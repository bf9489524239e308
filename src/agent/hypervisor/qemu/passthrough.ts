/** The `qemu:` section of a manifest: arguments that odorobo does not model, appended as they are. Pure. */
import { OdoroboError } from "../../../model/errors.ts";

/** What the agent itself says and relies on. An argument that took one of these away would cost it the guest, or its data. */
const OURS: ReadonlySet<string> = new Set([
  // how the agent finds, reaches and ends the process
  ..."name qmp qmp-pretty mon monitor serial parallel nographic daemonize pidfile no-shutdown action chroot runas user run-with sandbox".split(
    " ",
  ),
  // how a guest starts
  ..."S preconfig incoming loadvm snapshot readconfig writeconfig h help version".split(" "),
  // what the node's capacity is counted with
  ..."m smp accel enable-kvm".split(" "),
]);

export function passthroughArgs(passthrough: Readonly<Record<string, unknown>>): readonly string[] {
  const unknown = Object.keys(passthrough).filter((key) => key !== "args");
  if (unknown.length > 0) {
    throw refused(`the qemu section has no field ${unknown.join(", ")}`, "it has one field: args, a list of strings");
  }
  const { args } = passthrough;
  if (args === undefined) return [];
  if (!Array.isArray(args) || !args.every(isArgument)) {
    throw refused("qemu.args must be a list of texts, none of them empty", 'for example args: ["-vnc", "unix:/run/x"]');
  }
  for (const arg of args) {
    const option = /^--?(.+)$/.exec(arg)?.[1];
    if (option !== undefined && OURS.has(option)) {
      throw refused(`qemu.args may not contain ${arg}: odorobo sets that itself`, "remove it from the manifest");
    }
  }
  return args;
}

const isArgument = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && !value.includes("\0");

const refused = (message: string, hint: string) => new OdoroboError("UNSUPPORTED", message, { hint });
