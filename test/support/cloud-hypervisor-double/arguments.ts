/** The command line, with the answers of a clap program: usage errors are exit code 2. */
import type { Knobs } from "./knobs.ts";
import type { Release } from "./release.ts";

export interface Options {
  readonly apiSocket: string | null;
  readonly eventMonitor: string | number | null;
  readonly logFile: string | null;
  readonly verbosity: number;
  readonly noShutdown: boolean;
  readonly restore: Readonly<Record<string, string>> | null;
}

/** What to do: run, or print and end. */
export type Command =
  | { readonly kind: "run"; readonly options: Options }
  | { readonly kind: "print"; readonly stdout: string; readonly stderr: string; readonly exitCode: number };

const PLAIN_FLAGS = ["--no-shutdown", "--landlock", "--watchdog", "--pvpanic"];
/** Flags with a value that matter to none who uses the API; the real one would make a VM of some of them. */
const WITH_VALUE = [
  "--api-socket",
  "--event-monitor",
  "--log-file",
  "--log-format",
  "--seccomp",
  "--restore",
  "--landlock-rules",
];
const SECCOMP = ["true", "false", "log"];

export function readArguments(args: readonly string[], release: Release, knobs: Knobs): Command {
  const values = new Map<string, string>();
  const flags = new Set<string>();
  let verbosity = 0;
  for (let index = 0; index < args.length; index++) {
    const [name = "", attached] = splitAttached(args[index] ?? "");
    if (/^-v+$/.test(name)) verbosity += name.length - 1;
    else if (name === "-V" || name === "--version") flags.add("--version");
    else if (name === "-h" || name === "--help") flags.add("--help");
    else if (PLAIN_FLAGS.includes(name) && isKnown(name, release)) flags.add(name);
    else if (WITH_VALUE.includes(name) && isKnown(name, release)) {
      const value = attached ?? args[++index];
      if (value === undefined) {
        const shown = `${name} <${name.slice(2)}>`;
        return usage(`a value is required for '${shown}' but none was supplied`, "");
      }
      values.set(name, value);
    } else return usage(`unexpected argument '${name}' found`, "Usage: cloud-hypervisor [OPTIONS]\n\n");
  }
  if (flags.has("--help")) return printed("Launch a cloud-hypervisor VMM.\n\nUsage: cloud-hypervisor [OPTIONS]\n");
  if (flags.has("--version")) return printed(versionText(release, knobs, verbosity));
  const modes = release.hasSeccompErrno ? [...SECCOMP, "errno"] : SECCOMP;
  const seccomp = values.get("--seccomp");
  if (seccomp !== undefined && !modes.includes(seccomp)) {
    return usage(`invalid value '${seccomp}' for '--seccomp <seccomp>'\n  [possible values: ${modes.join(", ")}]`, "");
  }
  const monitor = values.get("--event-monitor");
  return {
    kind: "run",
    options: {
      apiSocket: pathOf(values.get("--api-socket")),
      eventMonitor:
        monitor === undefined ? null : monitor.startsWith("fd=") ? Number(monitor.slice(3)) : pathOf(monitor),
      logFile: values.get("--log-file") ?? null,
      verbosity,
      noShutdown: flags.has("--no-shutdown"),
      restore: values.has("--restore") ? keyValues(values.get("--restore") ?? "") : null,
    },
  };
}

function isKnown(name: string, release: Release): boolean {
  if (name === "--no-shutdown") return release.hasNoShutdown;
  return name !== "--log-format" || release.hasLogFormat;
}

/** `--flag=value` is one argument; `--api-socket path=/x` is not. */
function splitAttached(argument: string): [string, string | undefined] {
  const at = argument.startsWith("--") ? argument.indexOf("=") : -1;
  return at < 0 ? [argument, undefined] : [argument.slice(0, at), argument.slice(at + 1)];
}

const pathOf = (value: string | undefined): string | null => value?.replace(/^path=/, "") ?? null;

function keyValues(text: string): Record<string, string> {
  return Object.fromEntries(text.split(",").map((pair) => pair.split("=") as [string, string]));
}

function versionText(release: Release, knobs: Knobs, verbosity: number): string {
  if (knobs.versionText !== null) return `${knobs.versionText}\n`;
  const features = verbosity > 0 ? `Enabled features: ${debugList(knobs.features)}\n` : "";
  const protocol = release.major >= 52 ? "Migration Protocol Versions: 0\n" : "";
  return `cloud-hypervisor v${release.version}\n${protocol}${features}`;
}

const debugList = (items: readonly string[]): string => `[${items.map((item) => JSON.stringify(item)).join(", ")}]`;

const printed = (stdout: string): Command => ({ kind: "print", stdout, stderr: "", exitCode: 0 });

const usage = (what: string, how: string): Command => ({
  kind: "print",
  stdout: "",
  stderr: `error: ${what}\n\n${how}For more information, try '--help'.\n`,
  exitCode: 2,
});
