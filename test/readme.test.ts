/**
 * The README's tour is a test: every `$ command` in its console blocks is run, in order, in one folder, and prints what the README says.
 * To take the README's screens from a new run, after reading them: ODOROBO_UPDATE_README=1 npx vitest run test/readme.test.ts
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BUILT_COMMAND } from "./support/built.ts";
import { aTempFolder } from "./support/temp-folder.ts";
import { until } from "./support/until.ts";

const ROOT = join(import.meta.dirname, "..");
const README = join(ROOT, "README.md");
const BLOCK = /```console\n([\s\S]*?)```/g;

interface Screen {
  readonly command: string;
  readonly output: string;
}

function toScreens(block: string): Screen[] {
  const screens: { command: string; output: string }[] = [];
  for (const line of block.split("\n").slice(0, -1)) {
    if (line.startsWith("$ ")) screens.push({ command: line.slice(2), output: "" });
    else if (screens.length > 0) screens[screens.length - 1]!.output += `${line}\n`;
  }
  return screens;
}

/** What differs from run to run. */
const settle = (text: string): string =>
  text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "TIME")
    .replace(/\d{8}-\d{6}-[0-9a-f]{4}/g, "RUN")
    .replace(/\(\d+(\.\d+)? m?s\)/g, "(DURATION)")
    .replace(/in \d+(\.\d+)? m?s\b/g, "in DURATION")
    .replace(/^\d\d:\d\d:\d\d /gm, "CLOCK ");

test("the tour prints what the README says", { timeout: 300_000 }, async () => {
  await using home = await aTempFolder();
  const tour = new Tour(home.path, await freePort());
  const readme = readFileSync(README, "utf8");
  const blocks = [...readme.matchAll(BLOCK)].map((match) => toScreens(match[1] ?? ""));
  expect(blocks.flat().length).toBeGreaterThan(15);
  try {
    const played: Screen[][] = [];
    for (const block of blocks) {
      const screens: Screen[] = [];
      for (const { command } of block) screens.push({ command, output: await tour.run(command) });
      await tour.endWatch();
      played.push(screens);
    }
    if (process.env.ODOROBO_UPDATE_README === "1") update(readme, played);
    else expect(played.map(settleAll)).toEqual(blocks.map(settleAll));
  } finally {
    await tour.end();
  }
});

const settleAll = (screens: readonly Screen[]): Screen[] =>
  screens.map(({ command, output }) => ({ command, output: settle(output) }));

function update(readme: string, played: readonly Screen[][]): void {
  let next = 0;
  const text = readme.replace(BLOCK, () => {
    const screens = played[next++] ?? [];
    return `\`\`\`console\n${screens.map(({ command, output }) => `$ ${command}\n${output}`).join("")}\`\`\``;
  });
  writeFileSync(README, text);
}

const NOTHING = async () => "";

/** The README speaks of the port that everybody has; a test takes one that is free, and says the other. */
class Tour {
  readonly #folder: string;
  readonly #port: number;
  readonly #env: NodeJS.ProcessEnv;
  readonly #background: ChildProcess[] = [];
  #watched: () => Promise<string> = NOTHING;

  constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    const odorobo = join(folder, "odorobo");
    writeFileSync(odorobo, `#!/bin/sh\nexec "${process.execPath}" "${BUILT_COMMAND}" "$@"\n`);
    chmodSync(odorobo, 0o755);
    this.#env = {
      PATH: `${folder}:${process.env.PATH}`,
      HOME: folder,
      XDG_CACHE_HOME: join(folder, ".cache"),
      LANG: "C.UTF-8",
    };
  }

  async run(command: string): Promise<string> {
    if (command.startsWith("odorobo watch")) return await this.#watch(command.slice(0, -1).trim());
    if (command.endsWith("&")) return this.#start(`${command.slice(0, -1).trim()} --listen 127.0.0.1:${this.#port}`);
    const child = this.#spawn(command);
    const output = collect(child);
    await once(child, "close");
    const [, folder] = /^odorobo init (\S+)/.exec(command) ?? [];
    if (folder !== undefined)
      await once(this.#spawn(`sed -i s/:8890/:${this.#port}/ ${folder}/nodes/local.yaml`), "close");
    return this.#asWritten(output() + (await this.#watched()));
  }

  /** What a watch in the background prints belongs to the command that made it do something. */
  async #watch(command: string): Promise<string> {
    const child = this.#spawn(`exec ${command}`);
    this.#background.push(child);
    const output = collect(child);
    let shown = 0;
    this.#watched = async () => {
      await until("the watch has done what it has to", () => isAtRest(output().slice(shown)), 60_000).catch((error) => {
        throw new Error(`${error}: ${output()}`);
      });
      const text = output().slice(shown);
      shown += text.length;
      return text;
    };
    return this.#asWritten(await this.#watched());
  }

  /** Until it has said its first line. */
  async #start(command: string): Promise<string> {
    const child = this.#spawn(`exec ${command}`);
    this.#background.push(child);
    const output = collect(child);
    const ended = once(child, "close").then(() => {
      throw new Error(`${command} ended: ${output()}`);
    });
    ended.catch(() => {});
    while (!output().includes("\n")) await Promise.race([once(child.stdout!, "data"), ended]);
    return this.#asWritten(output());
  }

  async endWatch(): Promise<void> {
    if (this.#watched === NOTHING) return;
    this.#watched = NOTHING;
    await this.end();
  }

  async end(): Promise<void> {
    for (const child of this.#background.splice(0)) {
      if (child.exitCode === null && child.kill("SIGTERM")) await once(child, "close");
    }
  }

  #spawn(command: string): ChildProcess {
    const script = command.startsWith("exec ") ? `${command} 2>&1` : `{ ${command}\n} 2>&1`;
    return spawn("/bin/sh", ["-c", script], {
      cwd: this.#folder,
      env: this.#env,
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  #asWritten(output: string): string {
    return output.replaceAll(`:${this.#port}`, ":8890").replaceAll(`${this.#folder}/`, "");
  }
}

/** A revision that ended, with what is to be said of it, or guests put right. */
function isAtRest(said: string): boolean {
  if (/ refused +r\d/.test(said)) return said.includes("hint:") && said.endsWith("\n");
  if (/ (applied|waiting) +r\d.*\n$/.test(said)) return true;
  const [, steps] = / drift [\s\S]*: (\d+) steps?\n/.exec(said) ?? [];
  return steps !== undefined && [...said.matchAll(/ done .*\n/g)].length === Number(steps);
}

function collect(child: ChildProcess): () => string {
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  return () => output;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
