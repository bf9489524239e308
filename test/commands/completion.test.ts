/** The completion of bash is run by a bash; those of zsh and fish name everything. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { completionCommands } from "../../src/commands/cli/completion/vocabulary.ts";
import { loadConfig } from "../../src/commands/main.ts";
import { aFleetDocument, aNode, aVm } from "../support/manifest-texts.ts";
import { odorobo } from "../support/run-odorobo.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const run = promisify(execFile);
let bash = "";
beforeAll(async () => {
  bash = (await odorobo("completion", "bash")).stdout;
});

/** What bash offers for the last of these words. */
async function offered(...words: string[]): Promise<string[]> {
  await using folder = await aTempFolder();
  const script = join(folder.path, "completion");
  await writeFile(script, bash);
  // Stands for the installed command, which is asked for names of VMs.
  await writeFile(join(folder.path, "odorobo"), '#!/bin/sh\necho "web-1 web-2 $*"\n', { mode: 0o755 });
  const line = `source "$1"; shift; COMP_WORDS=(odorobo "$@"); COMP_CWORD=$#; _odorobo; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { ...process.env, PATH: `${folder.path}${delimiter}${process.env.PATH}` };
  const { stdout } = await run("bash", ["-c", line, "bash", script, ...words], { env, cwd: folder.path });
  return stdout.split("\n").filter((word) => word !== "");
}

test("bash completes commands, subcommands, flags, values and VMs", async () => {
  expect(await offered("va")).toEqual(["validate"]);
  expect(await offered("vm", "de")).toEqual(["delete", "destroy", "detach"].sort((a, b) => (a < b ? -1 : 1)));
  expect(await offered("vm", "detach", "--di")).toEqual(["--disk"]);
  expect(await offered("plan", "--max-class", "re")).toEqual(["reboot", "replace"]);
  expect(await offered("vm", "info", "web")).toEqual(["web-1", "web-2"]);
  expect(await offered("plan", "--target", "web")).toEqual(["web-1", "web-2"]);
  expect(await offered("apply", "--fleet", "prod", "--exclude", "pr")).toEqual(["prod"]);
  expect(await offered("vm", "info", "--fleet", "prod", "")).toEqual(
    expect.arrayContaining(["web-1", "completion", "vms", "--fleet", "prod"]),
  );
  expect(await offered("vm", "info", "--fleet", "compl")).toEqual(["completion"]);
  expect(await offered("agent", "in")).toEqual(["install"]);
});

test.each(["bash", "zsh", "fish"])("%s knows every command and every flag", async (shell) => {
  const { stdout, code } = await odorobo("completion", shell);
  expect(code).toBe(0);
  const config = await loadConfig({ root: new URL("../../", import.meta.url), table: "src/commands/table.ts" });
  for (const { words, flags } of completionCommands(config.commands)) {
    expect(stdout).toContain(words);
    for (const { name } of flags) expect(stdout).toContain(shell === "fish" ? `-l ${name}` : `--${name}`);
  }
});

test("names of VMs come from the manifests, and mistakes in them are nobody's business here", async () => {
  await using folder = await aTempFolder();
  const texts = [aFleetDocument(), aNode("n1"), aVm("web-2"), aVm("web-1")];
  await writeFile(join(folder.path, "a.yaml"), texts.join("---\n"));
  expect(await odorobo("completion", "vms", "--fleet", folder.path)).toMatchObject({
    code: 0,
    stdout: "web-1\nweb-2\n",
  });
  const nothing = await odorobo("completion", "vms", "--fleet", join(folder.path, "none"));
  expect(nothing).toMatchObject({ code: 0, stdout: "", stderr: "" });
});
