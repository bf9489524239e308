/**
 * From an argument list to one command: `bin/` → [main.ts] → table.ts → a command.
 *
 * oclif parses and prints help. What it would print as an error we print ourselves, so that every error looks alike.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Config, run, settings } from "@oclif/core";
import { useNativeDigests } from "../platform/native-digests.ts";
import { reportError } from "./cli/screen/report-error.ts";
import { ignoreBrokenPipes } from "./cli/screen/terminal.ts";
import { refuseUnknownCommand } from "./cli/unknown-command.ts";

export interface Installation {
  /** The folder of package.json. */
  readonly root: URL;
  /** `table.ts` as it is here: source or compiled. Relative to root. */
  readonly table: string;
}

export async function main(argv: string[], installation: Installation): Promise<void> {
  ignoreBrokenPipes();
  useNativeDigests();
  try {
    const config = await loadConfig(installation);
    const args = expandHelp(argv);
    refuseUnknownCommand(args, config);
    await run(args, config);
  } catch (error) {
    process.exitCode = reportError(error, { json: argv.includes("--json") });
  }
}

export async function loadConfig({ root, table }: Installation): Promise<Config> {
  // The sources run as they are: oclif must not look for a transpiler.
  settings.enableAutoTranspile = false;
  const pjson = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  pjson.oclif = {
    bin: "odorobo",
    commands: { strategy: "explicit", target: `./${table}`, identifier: "COMMANDS" },
    topicSeparator: " ",
    topics: TOPICS,
    additionalHelpFlags: ["-h"],
  };
  const config = new Config({ root: fileURLToPath(root), pjson, devPlugins: false, userPlugins: false });
  await config.load();
  return config;
}

const TOPICS = {
  vm: { description: "one VM, right now: looked at or acted on without the manifests" },
  runs: { description: "the applies that were begun here: looked at, carried on, paused, ended" },
  node: { description: "the servers and their agents" },
};

/** `odorobo help vm list` is what people type. */
const expandHelp = (argv: string[]): string[] => (argv[0] === "help" ? [...argv.slice(1), "--help"] : argv);
