/** What users can type, as one snapshot: a change of the command line is a visible diff. */
import type { Command } from "@oclif/core";
import { expect, test } from "vitest";
import { loadConfig } from "../../src/commands/main.ts";
import { odorobo } from "../support/run-odorobo.ts";

const loadCommands = async () =>
  (await loadConfig({ root: new URL("../../", import.meta.url), table: "src/commands/table.ts" })).commands;

test("the surface of the command line", async () => {
  const lines = (await loadCommands()).map(describeCommand).sort();
  expect(lines.join("\n\n")).toMatchSnapshot();
});

test("every command says in a fragment what it does, and every flag what it means", async () => {
  for (const command of await loadCommands()) {
    expect(command.summary, command.id).toMatch(/^[a-z][^.]*$/);
    for (const flag of Object.values(command.flags)) {
      if (flag.name !== "json") expect(flag.summary, `${command.id} --${flag.name}`).toMatch(/^[a-z]/);
    }
  }
});

test("help is there for all of it", async () => {
  const all = await odorobo("--help");
  expect(all).toMatchObject({ code: 0, stderr: "" });
  for (const { id } of await loadCommands()) {
    const words = id.split(":");
    if (words.length === 1) expect(all.stdout).toContain(`  ${id} `);
    const help = await odorobo("help", ...words);
    expect(help.stdout, id).toContain(`$ odorobo ${words.join(" ")}`);
  }
});

function describeCommand(command: Command.Loadable): string {
  const args = Object.values(command.args).map((arg) => (arg.required ? arg.name : `[${arg.name}]`));
  const aliases = command.aliases.length === 0 ? "" : `  (also ${command.aliases.join(", ").replaceAll(":", " ")})`;
  const flags = Object.values(command.flags)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((flag) => {
      const options = flag.type === "option" ? (flag.options ?? []) : [];
      return [
        `  --${flag.name}`,
        flag.char ? `-${flag.char}` : "",
        flag.type === "option" ? (options.length > 0 ? options.join("|") : (flag.helpValue ?? "value")) : "",
        flag.type === "option" && flag.multiple ? "(repeatable)" : "",
        "env" in flag && flag.env ? `$${flag.env}` : "",
        flag.required ? "(required)" : "",
      ]
        .filter((part) => part !== "")
        .join(" ");
    });
  return [[...command.id.split(":"), ...args].join(" ") + aliases, ...flags].join("\n");
}
