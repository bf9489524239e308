/** Writes the double as an executable file. Needs nothing but Node: tests, rehearsals and benches use it alike. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import type { KnobChanges } from "./knobs.ts";

export interface DoubleSettings {
  /** 50.0 to 54.0; 53.0 when missing. */
  readonly version?: string;
  readonly knobs?: KnobChanges;
  /** The Node that runs it; this process's own when missing. */
  readonly node?: string;
}

const SOURCES = import.meta.dirname;
/** Few threads, small spaces: a hundred doubles share a machine with everything else. */
const NODE_FLAGS = ["--max-semi-space-size=1", "--v8-pool-size=1", "--no-warnings"];

/**
 * Makes `folder/cloud-hypervisor`, with the program beside it as plain JavaScript: stripped of its types once, here, because
 * doing so in each double would take 40 ms and 17 MiB. The environment variables of the caller win over the settings.
 */
export function installDouble(folder: string, settings: DoubleSettings = {}): string {
  const program = join(folder, "double");
  mkdirSync(program, { recursive: true });
  for (const file of readdirSync(SOURCES)) {
    if (!file.endsWith(".ts") || file === "install.ts") continue;
    const script = withoutWarning(() => stripTypeScriptTypes(readFileSync(join(SOURCES, file), "utf8")));
    writeFileSync(
      join(program, file.replace(/\.ts$/, ".mjs")),
      script.replaceAll(/(from "\.\/[^"]+)\.ts"/g, '$1.mjs"'),
    );
  }
  const executable = join(folder, "cloud-hypervisor");
  const lines = [
    "#!/bin/sh",
    `export CHD_VERSION="\${CHD_VERSION:-${settings.version ?? "53.0"}}"`,
    `[ -n "$CHD_KNOBS" ] || export CHD_KNOBS=${shellQuoted(JSON.stringify(settings.knobs ?? {}))}`,
    `exec ${[settings.node ?? process.execPath, ...NODE_FLAGS, join(program, "main.mjs")].map(shellQuoted).join(" ")} "$@"`,
  ];
  writeFileSync(executable, `${lines.join("\n")}\n`);
  chmodSync(executable, 0o755);
  return executable;
}

const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Node says once per process that stripping is new. */
function withoutWarning<T>(run: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return run();
  } finally {
    process.emitWarning = emitWarning;
  }
}
