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
    .replace(/^\d\d:\d\d:\d\d /gm, "CLOCK ")
    .replace(/\bplan [0-9a-f]{16}\b/g, "plan ID")
    .replace(/\b(at | {2})[0-9a-f]{8,12}(?=[,\n ])/g, "$1COMMIT");

test("the tour prints what the README says", { timeout: 300_000 }, async () => {
  await using home = await aTempFolder();
  const tour = new Tour(home.path, await freePort(), await freePort());
  const readme = readFileSync(README, "utf8");
  const blocks = [...readme.matchAll(BLOCK)].map((match) => toScreens(match[1] ?? ""));
  expect(blocks.flat().length).toBeGreaterThan(15);
  // "One host" and "a team that pushes": five commands each.
  expect(blocks.slice(0, 2).map((block) => block.length)).toEqual([5, 5]);
  try {
    const played: Screen[][] = [];
    for (const block of blocks) {
      const screens: Screen[] = [];
      for (const { command } of block) screens.push({ command, output: await tour.run(command) });
      await tour.endBlock();
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

/** The README speaks of the ports that everybody has; a test takes some that are free, and says the others. */
class Tour {
  readonly #folder: string;
  readonly #port: number;
  readonly #gatewayPort: number;
  readonly #env: NodeJS.ProcessEnv;
  #isOneBlock = false;
  readonly #background: { readonly child: ChildProcess; readonly output: () => string; shown: number }[] = [];
  #watched: () => Promise<string> = NOTHING;

  constructor(folder: string, port: number, gatewayPort: number) {
    this.#folder = folder;
    this.#port = port;
    this.#gatewayPort = gatewayPort;
    const odorobo = join(folder, "odorobo");
    writeFileSync(odorobo, `#!/bin/sh\nexec "${process.execPath}" "${BUILT_COMMAND}" "$@"\n`);
    chmodSync(odorobo, 0o755);
    writeFileSync(join(folder, ".gitconfig"), "[user]\n\tname = you\n\temail = you@localhost\n");
    this.#env = {
      PATH: `${folder}:${process.env.PATH}`,
      HOME: folder,
      XDG_CACHE_HOME: join(folder, ".cache"),
      LANG: "C.UTF-8",
    };
  }

  async run(command: string): Promise<string> {
    if (command.startsWith("odorobo watch")) return await this.#watch(command.slice(0, -1).trim());
    if (command === "kill %1") return await this.#kill();
    if (command.endsWith("&")) return await this.#start(command.slice(0, -1).trim());
    const child = this.#spawn(command);
    const output = collect(child);
    await once(child, "close");
    const [, folder] = /\bodorobo init (\S+)/.exec(command) ?? [];
    if (folder !== undefined)
      await once(this.#spawn(`sed -i s/:8890/:${this.#port}/ ${folder}/nodes/local.yaml`), "close");
    if (command.includes("git push")) await this.#turned();
    const more = command.startsWith("sed ") ? await this.#watched() : "";
    return this.#asWritten(output() + more);
  }

  /** What a watch in the background prints belongs to the command that made it do something. */
  async #watch(command: string): Promise<string> {
    const task = this.#begin(command);
    this.#watched = async () => {
      const fresh = () => task.output().slice(task.shown);
      await until("the watch has done what it has to", () => isAtRest(fresh()), 60_000).catch((error) => {
        throw new Error(`${error}: ${task.output()}`);
      });
      const text = fresh();
      task.shown += text.length;
      return text;
    };
    return this.#asWritten(await this.#watched());
  }

  /** Until it has said its first line. */
  async #start(command: string): Promise<string> {
    const isGateway = command.startsWith("odorobo gateway");
    const listen = `--listen 127.0.0.1:${isGateway ? this.#gatewayPort : this.#port}`;
    // Before what the shell redirects.
    const { child, output } = this.#begin(command.replace(/^(odorobo \S+)/, `$1 ${listen}`));
    this.#isOneBlock = isGateway;
    const ended = once(child, "close").then(() => {
      throw new Error(`${command} ended: ${output()}`);
    });
    ended.catch(() => {});
    while (!output().includes("\n")) await Promise.race([once(child.stdout!, "data"), ended]);
    return this.#asWritten(output());
  }

  #begin(command: string) {
    const child = this.#spawn(`exec ${command}`);
    const task = { child, output: collect(child), shown: 0 };
    this.#background.push(task);
    return task;
  }

  /** As a shell does with its first job. */
  async #kill(): Promise<string> {
    const task = this.#background.shift();
    if (task === undefined) throw new Error("nothing runs in the background");
    this.#watched = NOTHING;
    await end(task.child);
    return this.#asWritten(task.output().slice(task.shown));
  }

  /** The gateway has done what was pushed. */
  async #turned(): Promise<void> {
    const log = join(this.#folder, "gateway.log");
    const said = () => readFileSync(log, "utf8");
    await until("the push is applied", () => said().includes('"standing":"applied"'), 60_000).catch((error) => {
      throw new Error(`${error}: ${said()}`);
    });
  }

  /** What follows has the port to itself. */
  async endBlock(): Promise<void> {
    if (this.#isOneBlock) await this.end();
    this.#isOneBlock = false;
  }

  async end(): Promise<void> {
    for (const { child } of this.#background.splice(0).reverse()) await end(child);
  }

  #spawn(command: string): ChildProcess {
    const script = command.startsWith("exec ") ? `exec 2>&1\n${command}` : `{ ${command}\n} 2>&1`;
    return spawn("/bin/sh", ["-c", script], {
      cwd: this.#folder,
      env: this.#env,
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  #asWritten(output: string): string {
    return output
      .replaceAll(`:${this.#port}`, ":8890")
      .replaceAll(`:${this.#gatewayPort}`, ":8900")
      .replaceAll(`${this.#folder}/`, "");
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.kill("SIGTERM")) await once(child, "close");
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
