/** A command that does not exist, answered before oclif would: with the nearest that does. */
import type { Config } from "@oclif/core";
import { nearest } from "../../manifest/text/suggest.ts";
import { OdoroboError } from "../../model/errors.ts";

/** Throws USAGE unless the words name a command, a topic, or nothing at all. */
export function refuseUnknownCommand(argv: readonly string[], config: Config): void {
  const firstFlag = argv.findIndex((word) => word.startsWith("-"));
  const words = firstFlag < 0 ? argv : argv.slice(0, firstFlag);
  const [first, second] = words;
  if (first === undefined) return;
  const commands = config.commandIDs.map((id) => id.replaceAll(":", " "));
  const isTopic = commands.some((command) => command.startsWith(`${first} `));
  if (commands.includes(first) || (isTopic && (second === undefined || commands.includes(`${first} ${second}`))))
    return;
  const typed = isTopic ? `${first} ${second}` : first;
  const similar = ofAnotherTool(typed, second, isTopic) ?? nearest(typed, commands) ?? inTopic(first, commands);
  throw new OdoroboError("USAGE", `there is no command "${typed}"`, {
    hint: similar === null ? "odorobo --help lists them" : `did you mean: odorobo ${similar}`,
  });
}

/** What people's fingers know from other tools for what we call otherwise. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  start: "vm boot",
  stop: "vm shutdown",
  restart: "vm reboot",
  rm: "vm delete",
  ps: "vm list",
  show: "vm info",
};

function ofAnotherTool(first: string, second: string | undefined, isTopic: boolean): string | null {
  const verb = isTopic && first.startsWith("vm ") ? second : first;
  return verb !== undefined && Object.hasOwn(ELSEWHERE, verb) ? (ELSEWHERE[verb] ?? null) : null;
}

/** `logs` → `vm logs`: the topic was left out. */
const inTopic = (word: string, commands: readonly string[]): string | null =>
  commands.findLast((command) => command.endsWith(` ${word}`)) ?? null;
