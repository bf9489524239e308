/**
 * The `qemu:` section of a manifest: arguments that odorobo does not model, appended to QEMU's command line as they are. Pure.
 *
 *   [check-args.ts] → diagnostics of the manifests, and the driver's compile
 */

export interface ArgsProblem {
  /** Below `qemu`: `["args", 0]`. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint: string;
}

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

/** All that is wrong with it. */
export function checkQemuSection(section: Readonly<Record<string, unknown>>): readonly ArgsProblem[] {
  const problems: ArgsProblem[] = [];
  for (const key of Object.keys(section))
    if (key !== "args")
      problems.push({
        path: [key],
        message: `the qemu section has no field ${key}`,
        hint: "it has one field: args, a list of texts",
      });
  const { args } = section;
  if (args === undefined) return problems;
  const shape = { message: "qemu.args must be a list of texts, none of them empty", hint: EXAMPLE };
  if (!Array.isArray(args)) return [...problems, { path: ["args"], ...shape }];
  for (const [index, arg] of args.entries()) {
    const path = ["args", index];
    if (!isArgument(arg)) {
      problems.push({ path, ...shape });
      continue;
    }
    const option = /^--?(.+)$/.exec(arg)?.[1];
    if (option !== undefined && OURS.has(option))
      problems.push({
        path,
        message: `qemu.args may not contain ${arg}: odorobo sets that itself`,
        hint: FIELDS_INSTEAD[option] ?? "remove it from the manifest",
      });
  }
  return problems;
}

const EXAMPLE = 'for example args: ["-vnc", "unix:/run/x"]';

const FIELDS_INSTEAD: Readonly<Record<string, string>> = {
  m: "write memory.size and memory.max",
  smp: "write cpus.count and cpus.max",
};

/** Arguments of a section without problems. */
export const qemuArgs = (section: Readonly<Record<string, unknown>>): readonly string[] =>
  (section.args as readonly string[] | undefined) ?? [];

const isArgument = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && !value.includes("\0");
